package lockstep.config.files;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import lockstep.config.Parameter;
import lockstep.config.ParameterException;
import lockstep.config.Parameters;
import lockstep.config.Secrets;
import lockstep.config.ServerRole;
import lockstep.io.DataDirectory;
import lockstep.io.Disk;
import lockstep.io.DiskFile;
import lockstep.io.FileDisk;
import lockstep.io.Shutdown;
import lockstep.io.Step;
import lockstep.io.ThreadWorkers;
import lockstep.io.Worker;
import lockstep.recovery.Promotion;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleListener;
import org.osgi.framework.Constants;
import org.osgi.framework.FrameworkListener;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.service.cm.Configuration;
import org.osgi.service.cm.ConfigurationAdmin;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings {@code lockstep.conf} and {@code recovery.conf} to the components that declare parameters.
 *
 * <p><b>Idea.</b> The files are the only truth. ConfigAdmin is how their values travel, and what it may remember of an
 * earlier life is removed. So that no component ever sees half a configuration, nothing is handed out before the
 * framework has started, and with it all bundles of the distribution, and the files as a whole have been found good.
 *
 * <pre>
 *   event                          what happens
 *   framework has started          files checked: all PIDs configured, or the server is refused
 *   bundle installed, updated      its PIDs configured; what is wrong with its values is logged, and its PID withheld
 *   bundle uninstalled             its configurations deleted
 *   promotion                      recovery.conf is done with: PIDs as those of a primary
 *   switchover                     recovery.conf is made, on the disk first; then PIDs as those of a standby
 *   set, reload                    checked, then file, then PIDs; or refused, and nothing has changed
 * </pre>
 *
 * <p>A parameter is known for as long as its bundle is installed, even if an operator has stopped it. The role of the
 * server, primary or standby, is settled at start, and changes only with a promotion or a switchover: then the PID of one is deleted and that
 * of the other configured, in this order, and the rest stays.
 *
 * <p><b>Threads.</b> Bundles come and go under the framework's locks, so its events only wake a thread that looks for
 * what is there. {@code this} is held during a change. Readers take the last {@link Settings} and wait for nobody.
 */
@Component(
        immediate = true,
        service = {Parameters.class, ServerRole.class})
public final class ConfigurationFiles implements Parameters, ServerRole {
    private static final Logger log = LoggerFactory.getLogger(ConfigurationFiles.class);

    private static final long RETRY_NANOS = 1_000_000_000;
    private static final int MAX_FILE_BYTES = 1 << 20;
    private static final String APPLICATION_NAME = "application_name";
    private static final String CONNINFO = "primary_conninfo";
    private static final String FOLLOWING_HEADER = """
            # This server is a standby, since it handed over in a switchover. Parameters, one a line, as in
            # lockstep.conf: name = value

            """;
    private static final String METATYPE_FOLDER = "OSGI-INF/metatype";

    private final BundleContext context;
    private final ConfigurationAdmin admin;
    private final DataDirectory directory;
    private final Disk disk;
    private final Shutdown shutdown;
    private final Worker worker;
    private final BundleListener bundles;
    private final FrameworkListener framework;

    private volatile Settings settings;
    private volatile boolean bundlesChanged = true;
    private volatile boolean promoted;
    private volatile boolean following;
    private boolean refused;

    /** Made by the framework. */
    @Activate
    public ConfigurationFiles(
            BundleContext context,
            @Reference ConfigurationAdmin admin,
            @Reference DataDirectory directory,
            @Reference Shutdown shutdown)
            throws IOException {
        this.context = context;
        this.admin = admin;
        this.shutdown = shutdown;
        this.directory = directory;
        disk = new FileDisk(directory.path());
        for (String pid : configuredPids()) {
            admin.getConfiguration(pid, "?").delete();
        }
        worker = new ThreadWorkers().start("configuration", this::look);
        bundles = event -> lookAtBundles();
        // An updated bundle may have its new content only when the framework has refreshed it, after its event.
        framework = event -> lookAtBundles();
        context.addBundleListener(bundles);
        context.addFrameworkListener(framework);
        worker.wake();
    }

    private void lookAtBundles() {
        bundlesChanged = true;
        worker.wake();
    }

    /** Ends the thread. */
    @Deactivate
    public void close() {
        context.removeBundleListener(bundles);
        context.removeFrameworkListener(framework);
        worker.close();
    }

    @Override
    public List<Parameter> all() {
        return settings().parameters();
    }

    @Override
    public Optional<Parameter> get(String name) {
        Settings now = settings();
        return now.definitions().get(name).map(now::parameter);
    }

    @Override
    public synchronized boolean set(String name, String value) throws ParameterException, IOException {
        Settings now = settings();
        String shown = name + " = " + Secrets.hide(name, value) + ": ";
        Definition definition = now.definitions()
                .get(name)
                .orElseThrow(() -> refused(shown + now.definitions().unknown(name)));
        boolean inRecoveryFile = definition.file().equals(Definition.RECOVERY_FILE);
        if (inRecoveryFile && !now.isStandby()) {
            throw refused(shown + "belongs in " + Definition.RECOVERY_FILE + ", and a primary has none");
        }
        Definition.Value read;
        try {
            read = definition.read(value);
        } catch (IllegalArgumentException e) {
            throw refused(shown + e.getMessage());
        }
        ConfFile file =
                inRecoveryFile ? recoveryFile().orElseThrow(ConfigurationFiles::recoveryFileGone) : serverFile();
        if (!file.problems().isEmpty()) {
            throw new ParameterException(file.problems());
        }
        ConfFile edited = file.with(definition.name(), read.text());
        disk.writeAtomically(file.name(), ByteBuffer.wrap(edited.text().getBytes(StandardCharsets.UTF_8)));
        apply(now.with(definition, read));
        log.info("{} is set to {} in {}", definition.name(), Secrets.hide(name, read.text()), file.name());
        return settings().parameter(definition).pendingRestart();
    }

    @Override
    public synchronized boolean reload() throws ParameterException, IOException {
        Settings now = settings();
        Optional<ConfFile> recovery = Optional.empty();
        if (now.isStandby()) {
            recovery = Optional.of(recoveryFile().orElseThrow(ConfigurationFiles::recoveryFileGone));
        } else if (disk.exists(Definition.RECOVERY_FILE)) {
            log.warn("{} is ignored until the restart that makes this server a standby", Definition.RECOVERY_FILE);
        }
        Settings next = now.with(serverFile(), recovery);
        if (!next.problems().isEmpty()) {
            throw new ParameterException(next.problems());
        }
        next.warnings().forEach(log::warn);
        apply(next);
        log.info("The configuration files have been read again");
        return next.parameters().stream().anyMatch(Parameter::pendingRestart);
    }

    private static ParameterException refused(String problem) {
        return new ParameterException(List.of(problem));
    }

    private static ParameterException recoveryFileGone() {
        return refused(Definition.RECOVERY_FILE + " is gone: a restart would make this standby a primary");
    }

    @Override
    public void promoted() {
        promoted = true;
        worker.wake();
    }

    @Override
    public String standbyName() {
        try {
            return formerly(APPLICATION_NAME)
                    .orElse(directory.path().toAbsolutePath().getFileName().toString());
        } catch (ParameterException | IOException e) {
            log.warn("{} cannot be read: {}", Promotion.DONE_FILE, e.getMessage());
            return directory.path().toAbsolutePath().getFileName().toString();
        }
    }

    /** Returns what a parameter was when this server was a standby last. */
    private Optional<String> formerly(String parameter) throws ParameterException, IOException {
        return read(Promotion.DONE_FILE).flatMap(file -> file.last(parameter)).map(ConfFile.Entry::value);
    }

    @Override
    public synchronized void prepareToFollow(String endpoints) throws IOException {
        try {
            ConfFile file = new ConfFile(Definition.RECOVERY_FILE, FOLLOWING_HEADER)
                    .with("standby_mode", "on")
                    .with(APPLICATION_NAME, standbyName())
                    .with(CONNINFO, withFormer(endpoints));
            for (String kept : List.of("restore_command", "trigger_file")) {
                Optional<String> value = formerly(kept);
                if (value.isPresent()) {
                    file = file.with(kept, value.get());
                }
            }
            Settings next = settings().asStandby(file);
            if (!next.problems().isEmpty()) {
                throw new IOException(
                        "this server's configuration is not good for a standby: " + String.join("; ", next.problems()));
            }
            disk.writeAtomically(file.name(), ByteBuffer.wrap(file.text().getBytes(StandardCharsets.UTF_8)));
        } catch (ParameterException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    /**
     * Returns the endpoints and, after them, other ones that this server tried when it was a standby last. One that leads to the
     * same place as one of these stands in its stead, if only it says how to get in there (a user, or a query).
     */
    private String withFormer(String endpoints) throws ParameterException, IOException {
        Map<String, String> all = new LinkedHashMap<>();
        for (String endpoint : endpoints.split(",", -1)) {
            all.putIfAbsent(place(endpoint), endpoint);
        }
        for (String former : formerly(CONNINFO).orElse("").strip().split("[,\\s]+", -1)) {
            if (former.contains("://") && !former.startsWith("postgres")) {
                all.merge(place(former), former, (now, then) -> now.equals(place(now)) ? then : now);
            }
        }
        return all.values().stream().filter(endpoint -> !endpoint.isEmpty()).collect(Collectors.joining(","));
    }

    /** Returns an endpoint without its user and its query: two with the same lead to the same place. */
    private static String place(String endpoint) {
        return endpoint.replaceFirst("\\?.*", "").replaceFirst("://[^/@]*@", "://");
    }

    @Override
    public synchronized void stayPrimary() throws IOException {
        if (!settings().isStandby() && disk.exists(Definition.RECOVERY_FILE)) {
            disk.delete(Definition.RECOVERY_FILE);
        }
    }

    @Override
    public void follow() {
        following = true;
        worker.wake();
    }

    private Settings settings() {
        Settings now = settings;
        if (now == null) {
            throw new IllegalStateException("the server is starting and has not checked its configuration yet");
        }
        return now;
    }

    /** Brings the settings up to what bundles there are. Does nothing where nothing has changed. */
    private synchronized long look() {
        if (isFrameworkActive() && !refused) {
            if (promoted) {
                return becomePrimary();
            }
            if (following) {
                return becomeStandby();
            }
            // Reading what all bundles declare takes its time, which a change of the role has not.
            if (bundlesChanged) {
                bundlesChanged = false;
                if (settings == null) {
                    start();
                } else {
                    lookForBundles();
                }
            }
        }
        return Step.UNTIL_WOKEN;
    }

    /** It is so from when all bundles have started until the first one is stopped. */
    private boolean isFrameworkActive() {
        return context.getBundle(Constants.SYSTEM_BUNDLE_ID).getState() == Bundle.ACTIVE;
    }

    private void start() {
        List<String> problems;
        try {
            Promotion.finish(disk);
            Settings first = Settings.atStart(declared(), serverFile(), recoveryFile());
            first.warnings().forEach(log::warn);
            problems = first.problems();
            if (problems.isEmpty()) {
                apply(first);
            }
        } catch (ParameterException e) {
            problems = e.problems();
        } catch (IOException e) {
            problems = List.of("the configuration cannot be read: " + e);
        }
        if (!problems.isEmpty()) {
            refused = true;
            String reason = "the configuration is refused:\n" + String.join("\n", problems);
            shutdown.shutdown(Shutdown.BAD_CONFIGURATION, reason);
        }
    }

    private long becomePrimary() {
        try {
            Promotion.finish(disk);
            promoted = false;
            apply(settings.asPrimary());
            return Step.UNTIL_WOKEN;
        } catch (IOException e) {
            log.error(
                    "{} cannot be renamed, which has to be before this server is a primary",
                    Definition.RECOVERY_FILE,
                    e);
            return RETRY_NANOS;
        }
    }

    private long becomeStandby() {
        try {
            apply(settings.asStandby(recoveryFile().orElseThrow(ConfigurationFiles::recoveryFileGone)));
            following = false;
            return Step.UNTIL_WOKEN;
        } catch (ParameterException | IOException e) {
            log.error(
                    "{} cannot be read, which has to be before this server is a standby", Definition.RECOVERY_FILE, e);
            return RETRY_NANOS;
        }
    }

    private void lookForBundles() {
        Definitions declared = declared();
        if (!declared.equals(settings.definitions())) {
            Settings next = settings.with(declared);
            next.problems().stream()
                    .filter(problem -> !settings.problems().contains(problem))
                    .forEach(log::error);
            apply(next);
        }
    }

    private void apply(Settings next) {
        settings = next;
        Map<String, SortedMap<String, Object>> properties = next.properties();
        try {
            for (String pid : configuredPids()) {
                if (!properties.containsKey(pid)) {
                    admin.getConfiguration(pid, "?").delete();
                }
            }
            for (Map.Entry<String, SortedMap<String, Object>> pid : properties.entrySet()) {
                admin.getConfiguration(pid.getKey(), "?").updateIfDifferent(FrameworkUtil.asDictionary(pid.getValue()));
            }
        } catch (IOException e) {
            // It fails only where it saves configurations itself. The values stand in the files, which count.
            log.error("ConfigAdmin does not pass the configuration on; restart the server", e);
        } catch (IllegalStateException e) {
            log.debug("ConfigAdmin has gone, and who needs it goes too", e);
        }
    }

    private List<String> configuredPids() throws IOException {
        try {
            Configuration[] found = admin.listConfigurations("(service.pid=" + Metatype.PID_PREFIX + "*)");
            return found == null
                    ? List.of()
                    : Stream.of(found).map(Configuration::getPid).toList();
        } catch (InvalidSyntaxException e) {
            throw new AssertionError(e);
        }
    }

    private Definitions declared() {
        List<Definition> declared = new ArrayList<>();
        Stream.of(context.getBundles())
                .sorted(Comparator.comparing(Bundle::getBundleId))
                .forEach(bundle -> declared.addAll(declaredBy(bundle)));
        return Definitions.of(declared);
    }

    private List<Definition> declaredBy(Bundle bundle) {
        List<Definition> declared = new ArrayList<>();
        long modified = bundle.getLastModified();
        try {
            // Unlike findEntries it leaves a bundle unresolved that nobody has started.
            var paths = bundle.getEntryPaths(METATYPE_FOLDER);
            for (String path : paths == null ? List.<String>of() : Collections.list(paths)) {
                URL entry = path.endsWith(".xml") ? bundle.getEntry(path) : null;
                if (entry != null) {
                    try (InputStream in = entry.openStream()) {
                        declared.addAll(Metatype.read(in));
                    }
                }
            }
        } catch (IOException | RuntimeException e) {
            // A bundle that is updated while it is read may fail in any way: Felix has then closed its content.
            boolean changed = bundle.getState() == Bundle.UNINSTALLED || bundle.getLastModified() != modified;
            if (changed || !isFrameworkActive()) {
                log.debug("Bundle {} changed while it was read; its event comes", bundle, e);
            } else {
                log.warn("Parameters of bundle {} are ignored until it changes: {}", bundle, e.getMessage());
            }
        }
        return declared;
    }

    private ConfFile serverFile() throws ParameterException, IOException {
        return read(Definition.SERVER_FILE).orElse(new ConfFile(Definition.SERVER_FILE, ""));
    }

    private Optional<ConfFile> recoveryFile() throws ParameterException, IOException {
        return read(Definition.RECOVERY_FILE);
    }

    private Optional<ConfFile> read(String name) throws ParameterException, IOException {
        if (!disk.exists(name)) {
            return Optional.empty();
        }
        try (DiskFile file = disk.openForReading(name)) {
            if (file.length() > MAX_FILE_BYTES) {
                throw refused(name + ": has " + file.length() + " bytes; expected at most " + MAX_FILE_BYTES);
            }
            ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(file.length()));
            file.read(bytes, 0);
            return Optional.of(new ConfFile(
                    name,
                    StandardCharsets.UTF_8.newDecoder().decode(bytes.flip()).toString()));
        } catch (CharacterCodingException e) {
            throw refused(name + ": is not UTF-8");
        }
    }
}
