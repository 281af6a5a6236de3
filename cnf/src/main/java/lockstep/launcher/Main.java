package lockstep.launcher;

import java.io.PrintStream;
import java.util.List;

/** The entry of the command line. */
public final class Main {
    /** A command that is added here is found, listed and explained. */
    private static final List<Command> COMMANDS = List.of(
            new DemoCommand(),
            new PrimaryCommand(),
            new StandbyCommand(),
            new BackupCommand(),
            new PromoteCommand(),
            new SwitchoverCommand(),
            new RewindCommand(),
            new WalGetCommand(),
            new WalPutCommand(),
            new PgSetupCommand(),
            new PasswdCommand(),
            new ShellCommand(),
            new StopCommand(),
            new BenchCommand(),
            new NewTransportCommand(),
            new TestCommand(),
            new VersionCommand());

    private Main() {}

    /** Runs a subcommand; exits with its status. */
    public static void main(String[] arguments) {
        System.exit(run(List.of(arguments)));
    }

    private static int run(List<String> arguments) {
        String name = arguments.isEmpty() ? "" : arguments.get(0);
        List<String> rest = arguments.isEmpty() ? List.of() : arguments.subList(1, arguments.size());
        if (name.equals("help") || name.equals("--help") || name.equals("-h")) {
            return help(rest);
        }
        if (name.equals("--version")) {
            name = "version";
        }
        for (Command command : COMMANDS) {
            if (command.name().equals(name)) {
                return run(command, rest);
            }
        }
        if (!name.isEmpty()) {
            System.err.println("lockstep: there is no command \"" + name + "\"");
        }
        list(System.err);
        return ExitStatus.USAGE;
    }

    private static int run(Command command, List<String> arguments) {
        if (arguments.contains("--help") && !command.name().equals("shell")) {
            explain(command, System.out);
            return ExitStatus.OK;
        }
        try {
            return command.run(arguments);
        } catch (UsageException e) {
            System.err.println("lockstep " + command.name() + ": " + e.getMessage());
            explain(command, System.err);
            return ExitStatus.USAGE;
        } catch (Failure e) {
            System.err.println("lockstep: " + e.getMessage());
            return e.status();
        } catch (Exception e) {
            System.err.println("lockstep: " + e);
            return ExitStatus.FAILED;
        }
    }

    private static int help(List<String> arguments) {
        if (arguments.isEmpty()) {
            list(System.out);
            return ExitStatus.OK;
        }
        for (Command command : COMMANDS) {
            if (command.name().equals(arguments.get(0))) {
                explain(command, System.out);
                return ExitStatus.OK;
            }
        }
        System.err.println("lockstep: there is no command \"" + arguments.get(0) + "\"");
        list(System.err);
        return ExitStatus.USAGE;
    }

    private static void list(PrintStream out) {
        out.println("usage: lockstep COMMAND ...");
        out.println();
        for (Command command : COMMANDS) {
            out.printf("  %-14s %s%n", command.name(), command.summary());
        }
        out.println();
        out.println("\"lockstep help COMMAND\" tells more of one.");
    }

    private static void explain(Command command, PrintStream out) {
        out.println("usage: lockstep " + command.name() + " " + command.synopsis());
        out.println();
        out.println("  " + command.summary());
        if (!command.details().isEmpty()) {
            out.println();
            out.print(command.details().indent(2));
        }
    }
}
