package lockstep.launcher;

import java.util.List;

/** A subcommand of {@code lockstep}. */
interface Command {
    /** What is typed. */
    String name();

    /** What follows the name, such as {@code DIR [--daemon]}. */
    String synopsis();

    /** One line for the list of commands. */
    String summary();

    /** What else there is to know, such as the options, in lines of at most 80 characters; may be empty. */
    default String details() {
        return "";
    }

    /**
     * Does it.
     *
     * @return the exit status of the process
     * @throws UsageException if the arguments make no sense
     * @throws Failure if it cannot be done, with the exit status and the words for the user
     */
    int run(List<String> arguments) throws Exception;
}
