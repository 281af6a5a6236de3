package lockstep.launcher;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import lockstep.transport.api.Endpoint;

/** What starting a primary and starting a standby have in common. */
abstract class ServerCommand implements Command {
    private static final String DAEMON = "--daemon";
    private static final String LISTEN = "--listen";
    private static final String SET = "--set";

    static final String OPTIONS = """
            --listen URI       accept standbys here, such as tcp://127.0.0.1:5440; may be
                               given several times
            --set NAME=VALUE   set a parameter; it is written to DIR/lockstep.conf
            --daemon           run in the background; returns when the server is ready, or says what
                               keeps it from that and goes on trying (exit status 1)

            On a terminal you get a prompt; leaving it stops the server.
            LOCKSTEP_JAVA_OPTS holds options for its Java machine, such as -Xmx2g.
            """;

    /** Returns the options with a value that this command takes besides. */
    abstract Set<String> moreOptions();

    /** Returns the options without a value that this command takes besides. */
    Set<String> moreFlags() {
        return Set.of();
    }

    /** Returns the command that runs the server in the background, once its directory is ready. */
    String background() {
        return name();
    }

    /** Finds what is wrong with the arguments, before anything is made. */
    abstract void check(DataDir directory, Arguments arguments);

    /** Makes the directory ready to be the home of such a server. */
    abstract void prepare(DataDir directory, Arguments arguments) throws IOException;

    @Override
    public final int run(List<String> words) throws Exception {
        Set<String> valued = new TreeSet<>(moreOptions());
        valued.add(LISTEN);
        valued.add(SET);
        Set<String> flags = new TreeSet<>(moreFlags());
        flags.add(DAEMON);
        Arguments arguments = new Arguments(words, flags, valued);
        DataDir directory = new DataDir(Path.of(arguments.only("DIR")));
        List<String> settings = arguments.values(SET);
        settings.forEach(ServerCommand::checkSetting);
        List<String> endpoints = arguments.values(LISTEN);
        endpoints.forEach(endpoint -> checkUri(LISTEN, endpoint));

        check(directory, arguments);

        directory.create();
        FormerFiles former;
        try (DataDir.Lock lock = directory.lock()) {
            former = new FormerFiles(List.of(directory.conf(), directory.recoveryConf(), directory.rewindSignal()));
            prepare(directory, arguments);
            ConfFile conf = new ConfFile(directory.conf());
            if (!endpoints.isEmpty()) {
                conf.set("listen_addresses", String.join(", ", endpoints));
            }
            for (String setting : settings) {
                int equals = setting.indexOf('=');
                conf.set(setting.substring(0, equals), setting.substring(equals + 1));
            }
            conf.save();
            if (!arguments.has(DAEMON)) {
                lock.tell(ProcessHandle.current().pid());
                int status = new Server(directory).run();
                if (status == ExitStatus.BAD_CONFIGURATION) {
                    undo(former, directory);
                }
                return status;
            }
        }
        int status = new Daemon(directory)
                .start(List.of(background(), directory.path().toString()));
        if (status == ExitStatus.BAD_CONFIGURATION) {
            try (DataDir.Lock lock = directory.lock()) {
                lock.tell(ProcessHandle.current().pid());
                undo(former, directory);
            }
        }
        return status;
    }

    private static void undo(FormerFiles former, DataDir directory) throws IOException {
        if (former.restore()) {
            // A directory is known by lockstep.conf, which a new one has not had before.
            directory.initialize();
            System.err.println("lockstep: the configuration in " + directory.path() + " is what it was before");
        }
    }

    private static void checkSetting(String setting) {
        int equals = setting.indexOf('=');
        if (equals < 0 || !ConfFile.isName(setting.substring(0, equals))) {
            throw new UsageException("--set " + setting + ": NAME=VALUE is expected");
        }
    }

    /** Checks the form; whether there is a transport for it shows when the server runs. */
    static void checkUri(String option, String text) {
        try {
            if (new URI(text).getScheme() != null && text.contains("://")) {
                return;
            }
        } catch (URISyntaxException e) {
            // falls through to the one message
        }
        throw new UsageException(
                option + " " + Endpoint.withoutSecrets(text) + ": an address such as tcp://127.0.0.1:5440 is expected");
    }
}
