package lockstep.shell.command;

import org.apache.felix.service.command.CommandSession;

/**
 * Who gives the commands of a session: the user whom the kernel names as the peer of its socket. What a client says of itself is not
 * asked.
 */
public final class Operator {
    private static final String VARIABLE = ".operator";

    private Operator() {}

    /** Says who it is, before the session runs anything. */
    public static void enter(CommandSession session, String user) {
        session.put(VARIABLE, user);
    }

    /** Returns who it is; in a session of the server itself, the user that it runs as. */
    static String of(CommandSession session) {
        return session.get(VARIABLE) instanceof String user ? user : System.getProperty("user.name");
    }
}
