package lockstep.launcher;

import java.util.List;

/** {@code lockstep version}. */
final class VersionCommand implements Command {
    @Override
    public String name() {
        return "version";
    }

    @Override
    public String synopsis() {
        return "";
    }

    @Override
    public String summary() {
        return "prints the version";
    }

    @Override
    public int run(List<String> arguments) {
        System.out.println("lockstep " + Main.class.getPackage().getImplementationVersion() + " (java "
                + System.getProperty("java.version") + ")");
        return ExitStatus.OK;
    }
}
