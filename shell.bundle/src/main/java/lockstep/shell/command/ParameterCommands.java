package lockstep.shell.command;

import java.io.IOException;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import lockstep.config.Parameter;
import lockstep.config.ParameterException;
import lockstep.config.Parameters;
import lockstep.config.Secrets;
import lockstep.transport.api.Endpoint;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.annotations.GogoCommand;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;

/** Shows and sets the parameters of this server. */
@Component(service = ParameterCommands.class)
@GogoCommand(
        scope = "lockstep",
        function = {"show", "set"})
public final class ParameterCommands {
    private static final int NAME_AND_VALUE = 2;

    @Reference(cardinality = ReferenceCardinality.OPTIONAL, policy = ReferencePolicy.DYNAMIC)
    volatile Parameters parameters;

    private Parameters parameters() {
        Parameters found = parameters;
        if (found == null) {
            throw new IllegalStateException("this server is still starting: it has not read its configuration yet");
        }
        return found;
    }

    /** Returns the names of all parameters; empty while they are not known. */
    List<String> names() {
        Parameters found = parameters;
        return found == null
                ? List.of()
                : found.all().stream().map(Parameter::name).sorted().toList();
    }

    /** Shows one parameter or all. */
    @Descriptor("show a parameter with all there is to know of it, or all parameters")
    public String show(
            @Descriptor("one JSON object; without NAME with the array parameters")
                    @org.apache.felix.service.command.Parameter(
                            names = "--json",
                            presentValue = "true",
                            absentValue = "false")
                    boolean json,
            @Descriptor("[NAME]") String... words) {
        Optional<String> name = new Words("show [NAME] [--json]", 0, 1, words).find(0);
        if (name.isPresent()) {
            return details(find(name.get())).present(json);
        }
        List<Fields> rows = parameters().all().stream()
                .sorted(Comparator.comparing(Parameter::name))
                .map(parameter -> json ? details(parameter) : summary(parameter))
                .toList();
        return Fields.present(rows, "parameters", "there is no parameter", json);
    }

    private Parameter find(String name) {
        return parameters()
                .get(name)
                .orElseThrow(() -> new IllegalArgumentException(
                        "there is no parameter \"" + name + "\"; \"show\" lists those there are"));
    }

    private static Fields summary(Parameter parameter) {
        return new Fields()
                .text("name", parameter.name())
                .text("value", shown(parameter.value()))
                .text("source", parameter.source())
                .text("description", parameter.description());
    }

    private static Fields details(Parameter parameter) {
        return new Fields()
                .text("name", parameter.name())
                .text("value", shown(parameter.value()))
                .text("source", parameter.source())
                .flag("pending_restart", parameter.pendingRestart())
                .text("type", Text.lower(parameter.type()))
                .text("default", parameter.defaultValue())
                .text("min", parameter.min())
                .text("max", parameter.max())
                .text("options", String.join(", ", parameter.options()))
                .text("description", parameter.description());
    }

    /** A value may be an endpoint with a password in it. */
    private static String shown(String value) {
        return Endpoint.withoutSecrets(value);
    }

    /** Sets a parameter. */
    @Descriptor("check a value, write it to the file and use it; says if that waits for a restart")
    public String set(
            @Descriptor("one JSON object: name, value, pending_restart")
                    @org.apache.felix.service.command.Parameter(
                            names = "--json",
                            presentValue = "true",
                            absentValue = "false")
                    boolean json,
            @Descriptor("NAME VALUE") String... words)
            throws ParameterException, IOException {
        Words given = new Words("set NAME VALUE [--json]", NAME_AND_VALUE, NAME_AND_VALUE, words);
        boolean waits = parameters().set(given.get(0), given.get(1));
        Parameter parameter = find(given.get(0));
        if (json) {
            return new Fields()
                    .text("name", parameter.name())
                    .text("value", shown(parameter.value()))
                    .flag("pending_restart", waits)
                    .json();
        }
        return parameter.name()
                + (waits
                        ? " will be " + Secrets.hide(given.get(0), given.get(1))
                                + " after a restart of this server; until then it is "
                        : " is ")
                + shown(parameter.value());
    }
}
