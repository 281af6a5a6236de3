package lockstep.shell.command;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import lockstep.commit.SyncRole;
import lockstep.send.StandbyView;
import lockstep.send.WalSenders;
import lockstep.transports.Carrier;
import lockstep.transports.CarrierView;
import lockstep.transports.Carriers;
import lockstep.transports.LinkView;
import lockstep.transports.Swap;
import lockstep.transports.TransportChanges;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.apache.felix.service.command.annotations.GogoCommand;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleException;
import org.osgi.framework.startlevel.BundleStartLevel;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Shows transports and changes them. */
@Component(service = TransportCommands.class)
@GogoCommand(
        scope = "lockstep",
        function = {"transports", "transport", "transportwords"})
public final class TransportCommands {
    private static final String USAGE = "transport use STANDBY SCHEME | install PLACE | update TRANSPORT [PLACE]"
            + " | start|stop|uninstall TRANSPORT [--repository FOLDER] [--json]";
    private static final String[] ACTIONS = {"use", "install", "update", "start", "stop", "uninstall"};
    private static final int MOST_WORDS = 3;

    private final LocalServer server;
    private final Carriers carriers;
    private final TransportChanges changes;

    /** Made by the framework. */
    @Activate
    public TransportCommands(
            @Reference LocalServer server, @Reference Carriers carriers, @Reference TransportChanges changes) {
        this.server = server;
        this.carriers = carriers;
        this.changes = changes;
    }

    /** Lists transports, or their sessions. */
    @Descriptor("list the transports that are here; links: their open sessions, and who is at the other end")
    public String transports(
            @Descriptor("one JSON object with the array transports, or links")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("nothing | links") String... words)
            throws IOException {
        Words given = new Words("transports [links] [--json]", 0, 1, words);
        if (given.find(0).isPresent()) {
            given.oneOf("transports [links] [--json]", "links");
            List<Fields> links = carriers.list().stream()
                    .flatMap(carrier -> carrier.links().stream())
                    .sorted(Comparator.comparing(LinkView::sinceMicros))
                    .map(TransportCommands::row)
                    .toList();
            return Fields.present(links, "links", "no session is open", json);
        }
        Stream<Fields> rows = Stream.concat(carriers.list().stream().map(Carrier::view), stopped())
                .sorted(Comparator.comparing(CarrierView::scheme).thenComparing(CarrierView::bundleId))
                .map(TransportCommands::row);
        return Fields.present(
                Stream.concat(rows, broken()).toList(),
                "transports",
                "there is no transport: install one with \"transport install\"",
                json);
    }

    /** What was dropped into {@code DIR/bundles}, and is not installed. */
    private Stream<Fields> broken() throws IOException {
        return changes.brokenJars().entrySet().stream()
                .map(jar -> new Fields()
                        .text("scheme", "")
                        .text("bundle", jar.getKey())
                        .none("id")
                        .text("version", "")
                        .text("state", "not installed")
                        .none("sessions")
                        .none("sent_bytes")
                        .none("received_bytes")
                        .text("last_error", jar.getValue()));
    }

    /** Those that are installed and serve nothing. */
    private Stream<CarrierView> stopped() {
        List<Long> serving = carriers.list().stream()
                .map(carrier -> carrier.view().bundleId())
                .toList();
        return changes.bundles().stream()
                .filter(bundle -> !serving.contains(bundle.getBundleId()))
                .map(bundle -> new CarrierView(
                        carriers.schemeOf(bundle.getBundleId()),
                        bundle.getSymbolicName(),
                        bundle.getBundleId(),
                        bundle.getVersion().toString(),
                        state(bundle),
                        0,
                        0,
                        0,
                        ""));
    }

    private static String state(Bundle bundle) {
        return switch (bundle.getState()) {
            case Bundle.ACTIVE -> "active, but without a transport";
            case Bundle.INSTALLED ->
                // After a restart nobody has asked one that is stopped what it needs.
                bundle.adapt(BundleStartLevel.class).isPersistentlyStarted() ? "not resolved" : "stopped";
            default -> "stopped";
        };
    }

    private static Fields row(CarrierView transport) {
        return new Fields()
                .text("scheme", transport.scheme())
                .text("bundle", transport.bundle())
                .count("id", transport.bundleId())
                .text("version", transport.version())
                .text("state", transport.state())
                .count("sessions", transport.sessions())
                .size("sent_bytes", transport.sentBytes())
                .size("received_bytes", transport.receivedBytes())
                .text("last_error", transport.lastError());
    }

    private static Fields row(LinkView link) {
        Fields row = new Fields()
                .text("scheme", link.scheme())
                .text("direction", link.isIncoming() ? "in" : "out")
                .text("endpoint", link.endpoint())
                .text("peer", link.peer().address())
                .text("identity", link.peer().identity())
                .time("since", link.sinceMicros())
                .size("sent_bytes", link.sentBytes())
                .size("received_bytes", link.receivedBytes());
        // What a transport knows of a link is up to it; a table has the same columns for all.
        return row.text(
                "facts",
                link.peer().facts().entrySet().stream()
                        .map(fact -> fact.getKey() + '=' + fact.getValue())
                        .collect(Collectors.joining(", ")));
    }

    /** Changes a transport. */
    @Descriptor(
            "change transports under load: use moves a standby over to another of its endpoints; the others change the"
                    + " bundle of a transport. On a primary it is shown for how long no commit was released meanwhile")
    public String transport(
            CommandSession session,
            @Descriptor("FOLDER: the Maven repository that has groupId:artifactId:version; ~/.m2/repository without it")
                    @Parameter(names = "--repository", absentValue = Words.NONE)
                    String repository,
            @Descriptor("one JSON object: done, pause_us, releases")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor(
                            "use STANDBY SCHEME | install PLACE | update TRANSPORT [PLACE] | start|stop|uninstall TRANSPORT;"
                                    + " PLACE: a jar, a folder of a Maven repository, or groupId:artifactId:version;"
                                    + " TRANSPORT: a scheme, or a bundle's name or number")
                    String... words)
            throws BundleException, IOException, InterruptedException {
        Words given = new Words(USAGE, 2, MOST_WORDS, words);
        String action = given.oneOf(USAGE, ACTIONS);
        String which = given.get(1);
        Optional<String> more = given.find(2);
        if (action.equals("use") != more.isPresent() && !action.equals("update")) {
            throw new IllegalArgumentException("usage: " + USAGE);
        }
        Path maven = repository.equals(Words.NONE)
                ? Path.of(System.getProperty("user.home"), ".m2/repository")
                : session.currentDir().resolve(repository);
        return shown(
                switch (action) {
                    case "use" -> changes.move(which, more.orElseThrow());
                    case "install" -> changes.install(place(session, which), maven);
                    case "update" -> changes.update(which, more.map(place -> place(session, place)), maven);
                    case "start" -> changes.start(which);
                    case "stop" -> changes.stop(which);
                    default -> changes.uninstall(which);
                },
                action,
                json);
    }

    /** A file that the client means, who may be in another directory than this server. */
    private static Path place(CommandSession session, String name) {
        return session.currentDir().resolve(name.startsWith("file:") ? name.replaceFirst("^file:(//)?", "") : name);
    }

    private static String shown(Swap swap, String action, boolean json) {
        if (json) {
            return new Fields()
                    .text("done", swap.what())
                    .micros("pause_us", swap.pauseMicros())
                    .count("releases", swap.releases())
                    .json();
        }
        if (swap.pauseMicros() < 0) {
            return swap.what();
        }
        if (swap.isPaused()) {
            return swap.what() + "; commits have been waiting for " + Fields.shownMicros(swap.pauseMicros())
                    + ", \"queue explain\" says for whom"
                    + (action.equals("stop") ? "; \"transport start\" with the same name ends that" : "");
        }
        return swap.what()
                + (swap.releases() == 0
                        ? "; no commit waited meanwhile"
                        : "; the longest pause of commits was " + Fields.shownMicros(swap.pauseMicros()));
    }

    /**
     * Returns what may stand at a place of the command {@code transport}.
     *
     * @param words the command line, from the name of the command on
     * @param index the place
     */
    @Descriptor("list the words that may stand at a place of the command transport, for completion")
    public List<String> transportwords(
            @Descriptor("the words of the command line") List<String> words, @Descriptor("the place") int index) {
        if (index == 1) {
            return List.of(ACTIONS);
        }
        String action = String.valueOf(words.get(1));
        Set<String> next = new TreeSet<>();
        if (action.equals("use") && index == 2) {
            standbys().map(StandbyView::applicationName).forEach(next::add);
        } else if (action.equals("use") && index == MOST_WORDS) {
            carriers.list().forEach(carrier -> next.add(carrier.scheme()));
        } else if (!action.equals("install") && !action.equals("use") && index == 2) {
            changes.bundles().forEach(bundle -> next.add(bundle.getSymbolicName()));
            carriers.list().forEach(carrier -> next.add(carrier.scheme()));
        }
        return List.copyOf(next);
    }

    private Stream<StandbyView> standbys() {
        return server
                .findSenders()
                .map((WalSenders senders) -> senders.standbys(standby -> SyncRole.ASYNC))
                .orElse(List.of())
                .stream();
    }
}
