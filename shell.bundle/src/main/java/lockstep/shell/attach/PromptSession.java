package lockstep.shell.attach;

import java.io.InputStream;
import java.io.OutputStream;
import org.apache.felix.gogo.runtime.CommandNotFoundException;
import org.apache.felix.gogo.runtime.CommandProcessorImpl;
import org.apache.felix.gogo.runtime.CommandSessionImpl;

/**
 * The session of a prompt. Gogo's shell shows what a command throws by its {@code toString}, with the name of the Java class; so
 * what is thrown here has only words for that.
 */
final class PromptSession extends CommandSessionImpl {
    PromptSession(CommandProcessorImpl processor, InputStream in, OutputStream out) {
        super(processor, in, out, out);
    }

    @Override
    public Object execute(CharSequence line) throws Exception {
        try {
            return super.execute(line);
        } catch (Exception e) {
            throw new PlainException(e);
        }
    }

    /** Returns what a user reads of a command that has failed. */
    static String message(Exception failure) {
        if (failure instanceof CommandNotFoundException unknown) {
            return "there is no command \"" + unknown.getCommand() + "\"; \"help\" lists those there are";
        }
        if (failure instanceof InterruptedException) {
            return "interrupted";
        }
        return failure.getMessage() == null ? failure.toString() : failure.getMessage();
    }

    private static final class PlainException extends Exception {
        private static final long serialVersionUID = 1;

        PlainException(Exception cause) {
            super(message(cause), cause);
        }

        @Override
        @SuppressWarnings(
                "OverrideThrowableToString") // the message is the same; it is the name of the class that is left out
        public String toString() {
            return getMessage();
        }
    }
}
