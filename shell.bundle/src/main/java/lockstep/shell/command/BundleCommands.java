package lockstep.shell.command;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.apache.felix.service.command.annotations.GogoCommand;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;

/**
 * Changes bundles of any kind. Felix has commands of these names; they show what goes wrong as Java does, and do not fail. Ours
 * are found before them.
 */
@Component(service = BundleCommands.class)
@GogoCommand(
        scope = "lockstep",
        function = {"install", "start", "stop", "update", "uninstall"})
public final class BundleCommands {
    private static final String SCHEME = "[A-Za-z][A-Za-z0-9+.-]*:.*";
    private static final int MANY = 1000;

    private final BundleContext context;

    /** Made by the framework. */
    @Activate
    public BundleCommands(BundleContext context) {
        this.context = context;
    }

    /** Returns the bundle that it is done to. */
    private interface Change {
        Bundle make(String word) throws BundleException, IOException;
    }

    /** What is done to a bundle that is there. */
    private interface Treatment {
        void of(Bundle bundle) throws BundleException, IOException;
    }

    /** Installs bundles. */
    @Descriptor("install bundles; \"start\" starts them")
    public String install(
            CommandSession session,
            @Descriptor("one JSON object with the array bundles")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("PLACE...: jars, or URLs of them") String... words) {
        Words given = new Words("install PLACE... [--json]", 1, MANY, words);
        return change("installed", given.all(), json, place -> context.installBundle(location(session, place)));
    }

    /** Starts bundles. */
    @Descriptor("start bundles, now and whenever this server starts")
    public String start(
            @Descriptor("one JSON object with the array bundles")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("BUNDLE...: numbers or symbolic names") String... words) {
        return changeNamed("start", "started", words, json, bundle -> bundle.start(Bundle.START_ACTIVATION_POLICY));
    }

    /** Stops bundles. */
    @Descriptor("stop bundles; they stay stopped over restarts of this server")
    public String stop(
            @Descriptor("one JSON object with the array bundles")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("BUNDLE...: numbers or symbolic names") String... words) {
        return changeNamed("stop", "stopped", words, json, Bundle::stop);
    }

    /** Gives a bundle another content. */
    @Descriptor("give a bundle another content; without PLACE, what is now where it came from")
    public String update(
            CommandSession session,
            @Descriptor("one JSON object with the array bundles")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("BUNDLE [PLACE]: its number or symbolic name; a jar, or the URL of one") String... words) {
        Words given = new Words("update BUNDLE [PLACE] [--json]", 1, 2, words);
        Optional<String> place = given.find(1);
        return change("updated", List.of(given.get(0)), json, named(bundle -> {
            if (place.isPresent()) {
                try (InputStream content =
                        URI.create(location(session, place.get())).toURL().openStream()) {
                    bundle.update(content);
                }
            } else {
                bundle.update();
            }
        }));
    }

    /** Removes bundles. */
    @Descriptor("uninstall bundles; those of the distribution come back with the next start of this server")
    public String uninstall(
            @Descriptor("one JSON object with the array bundles")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("BUNDLE...: numbers or symbolic names") String... words) {
        return changeNamed("uninstall", "uninstalled", words, json, Bundle::uninstall);
    }

    private String changeNamed(String command, String done, String[] words, boolean json, Treatment treatment) {
        Words given = new Words(command + " BUNDLE... [--json]", 1, MANY, words);
        return change(done, given.all(), json, named(treatment));
    }

    private Change named(Treatment treatment) {
        return word -> {
            Bundle bundle = find(word);
            treatment.of(bundle);
            return bundle;
        };
    }

    /** Makes a change once for each word, up to the first that fails. */
    private static String change(String done, List<String> words, boolean json, Change change) {
        List<Bundle> changed =
                words.stream().map(word -> change(done, word, change)).toList();
        return json
                ? Fields.present(changed.stream().map(BundleCommands::row).toList(), "bundles", "", true)
                : changed.stream()
                        .map(bundle -> bundle.getSymbolicName() + ' ' + bundle.getVersion() + " (bundle "
                                + bundle.getBundleId() + ") is " + done)
                        .collect(Collectors.joining("\n"));
    }

    private static Bundle change(String done, String word, Change change) {
        try {
            return change.make(word);
        } catch (BundleException | IOException e) {
            throw new IllegalStateException(word + " cannot be " + done + ": " + reason(e), e);
        }
    }

    /** Felix says what, and the cause says why: of a missing file, a defect of an activator. */
    private static String reason(Exception failure) {
        Throwable cause = failure.getCause() == null ? failure : failure.getCause();
        return cause instanceof BundleException || (cause instanceof IOException && cause.getMessage() != null)
                ? cause.getMessage()
                : cause.toString();
    }

    private static Fields row(Bundle bundle) {
        return new Fields()
                .count("id", bundle.getBundleId())
                .text("bundle", bundle.getSymbolicName())
                .text("version", bundle.getVersion().toString());
    }

    /** Returns the URL of a place; a file may be in the directory of the client, which is not this server's. */
    private static String location(CommandSession session, String place) {
        return place.matches(SCHEME)
                ? place
                : session.currentDir().resolve(place).toUri().toString();
    }

    private Bundle find(String word) {
        List<Bundle> found = Arrays.stream(context.getBundles())
                .filter(bundle ->
                        word.equals(bundle.getSymbolicName()) || word.equals(Long.toString(bundle.getBundleId())))
                .toList();
        if (found.size() != 1) {
            throw new IllegalArgumentException(
                    found.isEmpty()
                            ? "there is no bundle \"" + word
                                    + "\": expected a number or a symbolic name; \"lb -s\" lists them"
                            : "there are " + found.size() + " bundles \"" + word + "\": say which by its number");
        }
        return found.get(0);
    }
}
