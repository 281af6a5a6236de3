package lockstep.launcher;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** {@code lockstep switchover}. */
final class SwitchoverCommand implements Command {
    private static final List<String> OPTIONS = List.of("--endpoint", "--max-lag", "--timeout");

    @Override
    public String name() {
        return "switchover";
    }

    @Override
    public String synopsis() {
        return "DIR STANDBY [--endpoint URI] [--max-lag SIZE] [--timeout TIME]";
    }

    @Override
    public String summary() {
        return "has the primary that runs on DIR exchange roles with one of its standbys";
    }

    @Override
    public String details() {
        return """
            --endpoint URI   how the standby is reached from the primary; without it,
                             where the standby says that it listens
            --max-lag SIZE   how far behind the standby may be; 16MB without it
            --timeout TIME   when to give up, and go on as before; 10s without it

            No commit is lost and none fails. Returns when the old primary streams from
            the new one, and says for how long commits had to wait.
            """;
    }

    @Override
    public int run(List<String> words) throws Exception {
        Arguments arguments = new Arguments(words, Set.of(), Set.copyOf(OPTIONS));
        List<String> names = arguments.all("DIR", "STANDBY");
        List<String> line = new ArrayList<>(List.of("switchover", names.get(1)));
        for (String option : OPTIONS) {
            arguments.value(option).ifPresent(value -> line.addAll(List.of(option, value)));
        }
        return new AttachClient(new DataDir(Path.of(names.get(0)))).command(ShellCommand.line(line));
    }
}
