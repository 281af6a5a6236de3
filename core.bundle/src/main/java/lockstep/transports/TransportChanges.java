package lockstep.transports;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import lockstep.commit.CommitQueue;
import lockstep.commit.PauseWatch;
import lockstep.commit.SyncRole;
import lockstep.io.DataDirectory;
import lockstep.primary.Primary;
import lockstep.send.StandbyMove;
import lockstep.send.WalSenders;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Message.MoveRequest;
import lockstep.transport.api.Transport;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.startlevel.BundleStartLevel;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;

/**
 * Changes transports of a running server, and measures what commits see of it.
 *
 * <p>Before a transport is stopped, updated or removed, those who use it move over to any other of their endpoints: the standbys
 * that are served through it are asked to, as one by one with {@link #move}, and so is this server's own {@link Movable receiver}.
 * For those that have one it becomes a planned swap; the others connect again when they can.
 */
@Component(service = TransportChanges.class)
public final class TransportChanges {
    private static final long MOVE_S = 30;

    /** How long a transport that is to be changed is used by those who have been asked to leave it. */
    private static final long VACATE_S = 10;

    /** For how long a pause is watched that a change has begun. */
    private static final long SETTLE_MS = 5_000;

    private static final String JAR = ".jar";

    /** Where bundles of the distribution start too. */
    private static final int START_LEVEL = 30;

    private final BundleContext context;
    private final Carriers carriers;
    private final DroppedJars dropped;

    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    volatile Primary primary;

    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    volatile WalSenders senders;

    /** There on a standby. */
    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    volatile Movable receiver;

    /** Made by the framework. */
    @Activate
    public TransportChanges(BundleContext context, @Reference Carriers carriers, @Reference DataDirectory directory) {
        this.context = context;
        this.carriers = carriers;
        dropped = new DroppedJars(directory.path());
    }

    /** What is done to a bundle; returns what is to be told of it. */
    private interface Change {
        String make() throws BundleException, IOException;
    }

    /**
     * Moves a standby over to another transport.
     *
     * @throws IllegalArgumentException if no such standby is connected
     * @throws IllegalStateException if the standby does not go, or does not say so; says why
     */
    public Swap move(String standby, String scheme) throws InterruptedException {
        WalSenders serving = senders;
        if (serving == null) {
            throw new IllegalStateException("this server serves no standbys now; \"status\" says why");
        }
        Optional<PauseWatch> watch = watch();
        try {
            StandbyMove moved = serving.move(standby, scheme)
                    .orTimeout(MOVE_S, TimeUnit.SECONDS)
                    .join();
            return settle(
                    watch,
                    standby + " has moved from " + moved.from().address() + " to "
                            + moved.to().address() + " over " + scheme);
        } catch (CompletionException e) {
            if (e.getCause() instanceof TimeoutException) {
                throw new IllegalStateException(
                        "the standby has not moved within " + MOVE_S + " s; its log says why, and it stays where it is",
                        e);
            }
            throw e.getCause() instanceof IllegalStateException why ? why : e;
        } finally {
            watch.ifPresent(PauseWatch::close);
        }
    }

    /**
     * Installs a transport, and starts it.
     *
     * @param place a jar; a folder of a Maven repository with versions or a version of an artifact; or {@code
     *     groupId:artifactId:version}
     * @param repository where the latter is looked for
     */
    public Swap install(Path place, Path repository) throws BundleException, IOException, InterruptedException {
        Path jar = jar(place, repository);
        return measure(() -> {
            // As FileInstall writes it, so that a jar of DIR/bundles is not installed twice.
            Bundle bundle =
                    context.installBundle(jar.toFile().toURI().normalize().toString());
            bundle.adapt(BundleStartLevel.class).setStartLevel(START_LEVEL);
            start(bundle);
            return told("installed", bundle);
        });
    }

    /**
     * Gives a transport another content, a newer version for instance.
     *
     * @param place as in {@link #install}; empty for where the bundle came from
     */
    public Swap update(String which, Optional<Path> place, Path repository)
            throws BundleException, IOException, InterruptedException {
        Bundle bundle = find(which);
        Optional<Path> jar = place.isPresent() ? Optional.of(jar(place.get(), repository)) : Optional.empty();
        return measure(() -> {
            String vacated = vacate(bundle);
            if (jar.isPresent()) {
                try (InputStream content = Files.newInputStream(jar.get())) {
                    bundle.update(content);
                }
            } else {
                bundle.update();
            }
            return told("updated", bundle) + vacated;
        });
    }

    /** Starts a transport. */
    public Swap start(String which) throws BundleException, IOException, InterruptedException {
        Bundle bundle = find(which);
        return measure(() -> {
            start(bundle);
            return told("started", bundle);
        });
    }

    /** Stops a transport. */
    public Swap stop(String which) throws BundleException, IOException, InterruptedException {
        Bundle bundle = find(which);
        return measure(() -> {
            String vacated = vacate(bundle);
            bundle.stop();
            return told("stopped", bundle) + vacated;
        });
    }

    /** Removes a transport, and the file in {@code DIR/bundles} that would bring it back. */
    public Swap uninstall(String which) throws BundleException, IOException, InterruptedException {
        Bundle bundle = find(which);
        return measure(() -> {
            String vacated = vacate(bundle);
            bundle.uninstall();
            return told("uninstalled", bundle) + lasting(bundle) + vacated;
        });
    }

    /** Sees to it that a bundle does not come back by itself, or says when it does. */
    private String lasting(Bundle bundle) throws IOException {
        String removed = dropped.remove(bundle).stream()
                .map(jar -> ", and " + jar + " is removed")
                .collect(Collectors.joining());
        return removed
                + (Carriers.isOurs(bundle)
                        ? "; it is of the distribution, and comes back when the server starts again (\"transport stop\" lasts)"
                        : "");
    }

    /** Returns which jars of {@code DIR/bundles} are not installed, by their names, and why. */
    public Map<String, String> brokenJars() throws IOException {
        return dropped.troubles(context);
    }

    /** Has those leave a transport that use it, on either side; returns what became of them, for people. */
    private String vacate(Bundle bundle) {
        List<Carrier> leaving = carriers.list().stream()
                .filter(carrier -> carrier.view().bundleId() == bundle.getBundleId())
                .toList();
        // All are asked before the first is waited for.
        List<CompletableFuture<String>> asked =
                Stream.concat(served(leaving), received(leaving)).toList();
        return asked.stream().map(told -> "; " + told.join()).collect(Collectors.joining());
    }

    /** Asks the standbys that are served through one of these. */
    private Stream<CompletableFuture<String>> served(List<Carrier> leaving) {
        WalSenders serving = senders;
        if (serving == null) {
            return Stream.empty();
        }
        Set<String> served = leaving.stream()
                .flatMap(carrier -> carrier.links().stream())
                .filter(LinkView::isIncoming)
                .map(link -> link.peer().address())
                .collect(Collectors.toSet());
        return serving.standbys(standby -> SyncRole.ASYNC).stream()
                .filter(standby -> served.contains(standby.clientAddr()))
                .map(standby -> leave(serving, standby.applicationName()));
    }

    private static CompletableFuture<String> leave(WalSenders serving, String standby) {
        CompletableFuture<StandbyMove> asked;
        try {
            asked = serving.move(standby, MoveRequest.ANY_OTHER);
        } catch (IllegalArgumentException e) {
            asked = CompletableFuture.failedFuture(e);
        }
        return told(standby, asked, moved -> moved.to().address());
    }

    /** Asks this server's own receiver, if that has connected through one of these. */
    private Stream<CompletableFuture<String>> received(List<Carrier> leaving) {
        Movable receiving = receiver;
        return receiving == null
                ? Stream.empty()
                : leaving.stream()
                        .flatMap(carrier -> receiving.leave(carrier.scheme()).stream())
                        .map(asked -> told("this standby", asked, Endpoint::toString));
    }

    private static <T> CompletableFuture<String> told(
            String who, CompletableFuture<T> asked, Function<T, String> address) {
        return asked.orTimeout(VACATE_S, TimeUnit.SECONDS)
                .handle((there, e) -> e == null
                        ? who + " has moved to " + address.apply(there) + " before"
                        : who + " could not move away before: " + why(e));
    }

    private static String why(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        return cause instanceof TimeoutException ? "it has not within " + VACATE_S + " s" : cause.getMessage();
    }

    private static void start(Bundle bundle) throws BundleException {
        bundle.start(Bundle.START_ACTIVATION_POLICY);
    }

    private static String told(String done, Bundle bundle) {
        return bundle.getSymbolicName() + ' ' + bundle.getVersion() + " (bundle " + bundle.getBundleId() + ") is "
                + done;
    }

    private Swap measure(Change change) throws BundleException, IOException, InterruptedException {
        Optional<PauseWatch> watch = watch();
        try {
            return settle(watch, change.make());
        } finally {
            watch.ifPresent(PauseWatch::close);
        }
    }

    private Optional<PauseWatch> watch() {
        return Optional.ofNullable(primary).flatMap(Primary::queue).map(CommitQueue::watchPauses);
    }

    private static Swap settle(Optional<PauseWatch> watch, String what) throws InterruptedException {
        if (watch.isEmpty()) {
            return new Swap(what, -1, 0, false);
        }
        long before = watch.get().releases();
        watch.get().awaitRelease(SETTLE_MS);
        boolean isPaused = watch.get().releases() == before && watch.get().isPaused();
        return new Swap(what, watch.get().longestMicros(), watch.get().releases(), isPaused);
    }

    /** Returns the bundles that are or were transports. */
    public List<Bundle> bundles() {
        return Arrays.stream(context.getBundles()).filter(this::isTransport).toList();
    }

    private boolean isTransport(Bundle bundle) {
        String provided = bundle.getHeaders("").get(Constants.PROVIDE_CAPABILITY);
        return (provided != null && provided.contains(Transport.class.getName()))
                || !schemes(bundle).isEmpty()
                || !carriers.schemeOf(bundle.getBundleId()).isEmpty();
    }

    private List<String> schemes(Bundle bundle) {
        ServiceReference<?>[] services = bundle.getRegisteredServices();
        return services == null
                ? List.of()
                : Stream.of(services)
                        .filter(service -> isOf(service, Transport.class))
                        .map(service -> ((Transport) context.getService(service)).scheme())
                        .toList();
    }

    /** Carriers are transports too, but are registered as what they are. */
    private static boolean isOf(ServiceReference<?> service, Class<?> type) {
        return Arrays.asList((String[]) service.getProperty(Constants.OBJECTCLASS))
                .contains(type.getName());
    }

    /** Finds a transport by the number or the symbolic name of its bundle, or by its scheme. */
    private Bundle find(String which) {
        return bundles().stream()
                .filter(bundle -> which.equals(Long.toString(bundle.getBundleId()))
                        || which.equals(bundle.getSymbolicName())
                        || schemes(bundle).contains(which))
                .findFirst()
                // One that is stopped, by what it served.
                .or(() -> bundles().stream()
                        .filter(bundle -> which.equals(carriers.schemeOf(bundle.getBundleId())))
                        .findFirst())
                .orElseThrow(() -> new IllegalArgumentException("there is no transport \"" + which
                        + "\": expected a bundle's number or name, or a scheme; \"transports\" lists them"));
    }

    /** Finds the jar that is meant. */
    static Path jar(Path place, Path repository) throws IOException {
        String name = place.getFileName().toString();
        String[] coordinates = name.split(":", -1);
        Path found = coordinates.length == 3
                ? repository
                        .resolve(coordinates[0].replace('.', '/'))
                        .resolve(coordinates[1])
                        .resolve(coordinates[2])
                : place;
        if (Files.isDirectory(found)) {
            return newest(found);
        }
        if (!Files.isRegularFile(found)) {
            throw new IOException("there is no " + found + ": expected a jar, a folder of a Maven repository, or"
                    + " groupId:artifactId:version with the repository that has it");
        }
        return found;
    }

    /** Returns the jar of an artifact's version, or of its highest version. */
    private static Path newest(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder, 2)) {
            return files.filter(file -> {
                        String name = file.getFileName().toString();
                        return name.endsWith(JAR)
                                && !name.endsWith("-sources" + JAR)
                                && !name.endsWith("-javadoc" + JAR)
                                && !name.endsWith("-tests" + JAR);
                    })
                    .max(Comparator.comparing(TransportChanges::versionOf).thenComparing(Comparator.naturalOrder()))
                    .orElseThrow(
                            () -> new IOException(
                                    "there is no jar in " + folder
                                            + ": expected the folder of an artifact, or of one of its versions, in a Maven repository"));
        }
    }

    /**
     * Versions compare by their numbers, each of which is given the same width. What is a qualifier, such as {@code SNAPSHOT}, comes
     * before the end, and that before a further number.
     */
    private static String versionOf(Path jar) {
        StringBuilder key = new StringBuilder();
        for (String part : jar.getParent().getFileName().toString().split("[.-]", -1)) {
            key.append(part.matches("\\d{1,9}") ? String.format("3%09d", Integer.parseInt(part)) : '1' + part)
                    .append('.');
        }
        return key.append('2').toString();
    }
}
