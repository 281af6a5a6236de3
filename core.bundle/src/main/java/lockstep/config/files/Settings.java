package lockstep.config.files;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import lockstep.config.Parameter;
import lockstep.config.Secrets;
import lockstep.config.StandbyConfiguration;

/**
 * What the server is set to: declarations and files put together, checked, and compared with what was before.
 *
 * <p><b>Idea.</b> Every change, be it of a value, of the files or of the bundles, makes a new object of this class from
 * the last one. Whoever makes it looks at {@link #problems} and takes it or leaves it, so a refused change has no traces
 * to remove. What components get follows from the object alone ({@link #properties}).
 *
 * <p><b>Two values for one parameter.</b> One that is read at start is <i>written</i> with what the file says and
 * <i>runs</i> with what it said when the parameter came. For all others the two are one.
 *
 * <pre>
 *   a name in the files                              what becomes of it
 *   declared, in its file, value good                set
 *   declared, in its file, value bad                 problem; its PID is withheld
 *   declared, in the other file                      problem
 *   not declared, plain                              problem
 *   not declared, qualified, others have the prefix  problem
 *   not declared, qualified, nobody has the prefix   warning: its bundle may come
 * </pre>
 *
 * <p>Components have a default for every parameter, so only what stands in a file is handed to them.
 */
final class Settings {
    static final String PRIMARY_PID = "lockstep.primary";

    private record Setting(Definition.Value value, String source) {}

    private final Definitions definitions;
    private final ConfFile server;
    private final Optional<ConfFile> recovery;
    private final Map<String, Setting> written = new HashMap<>();
    private final Map<String, Setting> running = new HashMap<>();
    private final Set<String> withheld = new HashSet<>();
    private final List<String> problems = new ArrayList<>();
    private final List<String> warnings = new ArrayList<>();

    /**
     * Takes what a server finds when it starts.
     *
     * @param recovery the file that makes it a standby, if there is one
     */
    static Settings atStart(Definitions definitions, ConfFile server, Optional<ConfFile> recovery) {
        return new Settings(definitions, server, recovery, Optional.empty());
    }

    private Settings(Definitions definitions, ConfFile server, Optional<ConfFile> recovery, Optional<Settings> before) {
        this.definitions = definitions;
        this.server = server;
        this.recovery = recovery;
        check(server);
        recovery.ifPresent(this::check);
        for (Definition definition : definitions.all()) {
            if (isDelivered(definition.pid())) {
                Optional<Setting> kept = before.filter(last -> definition.atStart())
                        .filter(last -> last.definitions.get(definition.name()).equals(Optional.of(definition)))
                        .map(last -> last.running.get(definition.name()));
                running.put(definition.name(), kept.orElseGet(() -> written(definition)));
            }
        }
    }

    private void check(ConfFile file) {
        problems.addAll(file.problems());
        for (ConfFile.Entry entry : file.entries()) {
            String where = file.at(entry) + ": " + entry.shown() + ": ";
            Optional<Definition> declared = definitions.get(entry.name());
            if (declared.isEmpty()) {
                if (definitions.isForeign(entry.name())) {
                    warnings.add(where + "no bundle declares it; it waits for one that does");
                } else {
                    problems.add(where + definitions.unknown(entry.name()));
                }
            } else if (!declared.get().file().equals(file.name())) {
                problems.add(where + "belongs in " + declared.get().file());
            } else if (file.last(entry.name()).filter(entry::equals).isPresent()) {
                Definition definition = declared.get();
                try {
                    written.put(definition.name(), new Setting(definition.read(entry.value()), file.at(entry)));
                } catch (IllegalArgumentException e) {
                    problems.add(where + e.getMessage());
                    withheld.add(definition.pid());
                }
            }
        }
    }

    private Setting written(Definition definition) {
        Setting setting = written.get(definition.name());
        return setting != null ? setting : new Setting(definition.standardValue(), Parameter.DEFAULT);
    }

    private boolean isDelivered(String pid) {
        String otherRole = isStandby() ? PRIMARY_PID : StandbyConfiguration.PID;
        return !pid.equals(otherRole) && !withheld.contains(pid);
    }

    /** Returns what is to be after bundles have come or gone. */
    Settings with(Definitions newDefinitions) {
        return new Settings(newDefinitions, server, recovery, Optional.of(this));
    }

    /** Returns what is to be with other files. */
    Settings with(ConfFile newServer, Optional<ConfFile> newRecovery) {
        return new Settings(definitions, newServer, newRecovery, Optional.of(this));
    }

    /** Returns what is to be after a promotion: the file that made it a standby is done with. */
    Settings asPrimary() {
        return with(server, Optional.empty());
    }

    /** Returns what is to be when a primary becomes a standby, which the file makes it. */
    Settings asStandby(ConfFile newRecovery) {
        return with(server, Optional.of(newRecovery));
    }

    /** Returns what is to be after a parameter got another value, which has been checked. */
    Settings with(Definition definition, Definition.Value value) {
        return definition.file().equals(server.name())
                ? with(server.with(definition.name(), value.text()), recovery)
                : with(server, recovery.map(file -> file.with(definition.name(), value.text())));
    }

    Definitions definitions() {
        return definitions;
    }

    boolean isStandby() {
        return recovery.isPresent();
    }

    /** Returns what is wrong in the files, a line for each. */
    List<String> problems() {
        return problems;
    }

    /** Returns what may be wrong in the files, a line for each. */
    List<String> warnings() {
        return warnings;
    }

    /** Returns what each PID is configured with, the role of the server last. */
    Map<String, SortedMap<String, Object>> properties() {
        Map<String, SortedMap<String, Object>> byPid = new LinkedHashMap<>();
        String role = isStandby() ? StandbyConfiguration.PID : PRIMARY_PID;
        SortedMap<String, Object> roleProperties = new TreeMap<>();
        for (Definition definition : definitions.all()) {
            Setting setting = running.get(definition.name());
            if (setting != null) {
                SortedMap<String, Object> properties = definition.pid().equals(role)
                        ? roleProperties
                        : byPid.computeIfAbsent(definition.pid(), pid -> new TreeMap<>());
                if (!setting.source().equals(Parameter.DEFAULT)) {
                    boolean isText =
                            definition.type() != Parameter.Type.BOOLEAN && definition.type() != Parameter.Type.INTEGER;
                    properties.put(
                            definition.id(),
                            isText ? setting.value().text() : setting.value().meaning());
                }
            }
        }
        if (isDelivered(role)) {
            byPid.put(role, roleProperties);
        }
        return byPid;
    }

    /** Returns all parameters, by name. */
    List<Parameter> parameters() {
        return definitions.all().stream().map(this::parameter).toList();
    }

    Parameter parameter(Definition definition) {
        Setting inFile = written(definition);
        Setting inServer = running.getOrDefault(definition.name(), inFile);
        return new Parameter(
                definition.name(),
                Secrets.hide(definition.name(), inServer.value().text()),
                definition.standardValue().text(),
                definition.type(),
                definition.min(),
                definition.max(),
                definition.options(),
                definition.description(),
                inServer.source(),
                !inFile.value().meaning().equals(inServer.value().meaning()));
    }
}
