package lockstep.shell.command;

import java.lang.reflect.Parameter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import lockstep.commit.CommitLevel;
import org.apache.felix.gogo.jline.Shell;
import org.apache.felix.gogo.runtime.CommandProxy;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Function;
import org.jline.builtins.Completers.CompletionData;
import org.jline.reader.ParsedLine;

/**
 * What the Tab key knows of our commands in the session of a prompt. The commands themselves say it: their options are
 * annotated, and the description of their words has, after each bar, what is to be typed as it is: {@code create NAME | drop NAME}.
 */
public final class Completions {
    private static final String SCOPE = "lockstep:";

    /** The profile calls it when there is something to complete. */
    private static final String LEARN = "learncompletions";

    /** Called when the Tab key is pressed where no option is being typed. */
    private static final String WORDS = "completionwords";

    private static final Pattern WORD_AS_IT_IS = Pattern.compile("(?:^|\\| )([a-z][a-z-]+)(?=[ ;]|$)");
    private static final String NO_WORD = "nothing";
    private static final String LEVEL_OPTION = "--commit";

    /** The first words that a command may have, such as {@code create} and {@code drop}. */
    private final Map<String, List<String>> firstWords = new HashMap<>();

    private Completions() {}

    /** Puts this into a session, before its profile runs. */
    public static void enter(CommandSession session) {
        Completions completions = new Completions();
        session.put(LEARN, (Function) (inSession, none) -> completions.learn(inSession));
        session.put(WORDS, (Function) (inSession, none) -> completions.words(inSession));
    }

    private Object learn(CommandSession session) {
        for (String command : Shell.getCommands(session)) {
            if (command.startsWith(SCOPE) && session.get(command) instanceof CommandProxy proxy) {
                List<CompletionData> data = new ArrayList<>(List.of(new CompletionData(null, null, WORDS, null)));
                Arrays.stream(proxy.getTarget().getClass().getMethods())
                        .filter(method -> command.equals(SCOPE + method.getName()))
                        .flatMap(method -> Stream.of(method.getParameters()))
                        .forEach(parameter -> learn(command, parameter, data));
                proxy.ungetTarget();
                Shell.getCompletions(session).put(command, data);
            }
        }
        return null;
    }

    private void learn(String command, Parameter parameter, List<CompletionData> data) {
        Descriptor descriptor = parameter.getAnnotation(Descriptor.class);
        String text = descriptor == null ? "" : descriptor.value();
        var option = parameter.getAnnotation(org.apache.felix.service.command.Parameter.class);
        if (option == null) {
            List<String> words = WORD_AS_IT_IS
                    .matcher(text)
                    .results()
                    .map(found -> found.group(1))
                    .filter(word -> !word.equals(NO_WORD))
                    .distinct()
                    .toList();
            firstWords.merge(command, words, (some, more) -> more.isEmpty() ? some : more);
        } else {
            data.add(new CompletionData(List.of(option.names()), text, null, null));
        }
    }

    private List<String> words(CommandSession session) {
        ParsedLine line = Shell.getParsedLine(session);
        String previous = line.words().get(line.wordIndex() - 1);
        if (previous.equals(LEVEL_OPTION)) {
            return Stream.of(CommitLevel.values())
                    .map(CommitLevel::parameterValue)
                    .toList();
        }
        if (line.wordIndex() > 1) {
            return List.of();
        }
        String command = Shell.resolve(session, previous);
        if (session.get(command) instanceof CommandProxy proxy) {
            try {
                if (proxy.getTarget() instanceof ParameterCommands parameters) {
                    return parameters.names();
                }
            } finally {
                proxy.ungetTarget();
            }
        }
        return firstWords.getOrDefault(command, List.of());
    }
}
