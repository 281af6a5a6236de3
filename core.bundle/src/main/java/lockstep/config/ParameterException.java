package lockstep.config;

import java.util.List;

/** A configuration was refused as a whole, and nothing has changed. */
public class ParameterException extends Exception {
    private static final long serialVersionUID = 1;

    private final List<String> problems;

    /** Takes a line for each problem: where it is, what was found, what was expected. */
    public ParameterException(List<String> problems) {
        super(String.join("\n", problems));
        this.problems = List.copyOf(problems);
    }

    /** Returns a line for each problem. */
    public List<String> problems() {
        return problems;
    }
}
