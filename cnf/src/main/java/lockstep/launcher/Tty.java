package lockstep.launcher;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import lockstep.shell.wire.WindowSize;

/**
 * Our terminal, while a prompt of the server has it: what is typed goes to the server key by key, so that completion,
 * history and Ctrl-C work there. Output stays as it is, so that lines from elsewhere, such as a warning of a server in
 * the foreground, look right.
 */
final class Tty implements AutoCloseable {
    private static final WindowSize USUAL = new WindowSize(80, 24);
    private static final Pattern SIZE = Pattern.compile("([1-9][0-9]{0,3}) ([1-9][0-9]{0,3})");

    private final String before;
    private final Thread restorer = new Thread(this::restore, "tty-restorer");

    private Tty(String before) {
        this.before = before;
        Runtime.getRuntime().addShutdownHook(restorer);
    }

    /** Takes the terminal. */
    static Tty raw() throws IOException, InterruptedException {
        Tty tty = new Tty(stty("-g"));
        stty("-icanon", "-echo", "-isig", "-iexten", "-ixon", "-icrnl", "min", "1", "time", "0");
        return tty;
    }

    /** Returns whether the user sits at a terminal; the script that starts us finds out. */
    static boolean isThere() {
        return Boolean.getBoolean("lockstep.tty");
    }

    WindowSize size() throws IOException, InterruptedException {
        Matcher rowsAndColumns = SIZE.matcher(stty("size"));
        return rowsAndColumns.matches()
                ? new WindowSize(Integer.parseInt(rowsAndColumns.group(2)), Integer.parseInt(rowsAndColumns.group(1)))
                : USUAL;
    }

    /** Tells when the window has another size. */
    void onResize(Listener listener) {
        Runnable resized = () -> {
            try {
                listener.resized(size());
            } catch (IOException e) {
                // The prompt has ended; nobody needs the size.
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        };
        try {
            // The JDK tells by sun.misc.Signal only, whose use the compiler warns of and nothing suppresses.
            Class<?> signal = Class.forName("sun.misc.Signal");
            Class<?> handler = Class.forName("sun.misc.SignalHandler");
            Object proxy = Proxy.newProxyInstance(
                    Tty.class.getClassLoader(), new Class<?>[] {handler}, (self, method, arguments) -> {
                        resized.run();
                        return null;
                    });
            signal.getMethod("handle", signal, handler)
                    .invoke(null, signal.getConstructor(String.class).newInstance("WINCH"), proxy);
        } catch (ReflectiveOperationException e) {
            // Without it the prompt keeps the size it began with.
        }
    }

    private void restore() {
        try {
            stty(before);
        } catch (IOException e) {
            System.err.println("lockstep: the terminal could not be set back, \"reset\" does it: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Gives the terminal back as it was. */
    @Override
    public void close() {
        restore();
        try {
            Runtime.getRuntime().removeShutdownHook(restorer);
        } catch (IllegalStateException e) {
            // The process is ending, and the hook runs or has run.
        }
    }

    private static String stty(String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("stty"));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
                .redirectInput(ProcessBuilder.Redirect.INHERIT)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), US_ASCII).strip();
        if (process.waitFor() != 0) {
            throw new IOException("\"" + String.join(" ", command) + "\" failed: is this a terminal?");
        }
        return said;
    }

    /** Hears of new sizes. */
    interface Listener {
        void resized(WindowSize size) throws IOException;
    }
}
