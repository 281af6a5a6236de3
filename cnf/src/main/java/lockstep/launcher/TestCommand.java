package lockstep.launcher;

import java.util.List;

/**
 * {@code lockstep test}. It belongs to the sources, so the script at their root does it, before it comes here; here it is
 * explained.
 */
final class TestCommand implements Command {
    @Override
    public String name() {
        return "test";
    }

    @Override
    public String synopsis() {
        return "[MAVEN OPTION...]";
    }

    @Override
    public String summary() {
        return "builds everything and runs all tests";
    }

    @Override
    public int run(List<String> arguments) {
        throw new Failure(ExitStatus.FAILED, "the tests are in the source tree: run \"./lockstep test\" at its root");
    }
}
