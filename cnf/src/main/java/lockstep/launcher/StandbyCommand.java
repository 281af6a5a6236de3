package lockstep.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** {@code lockstep standby}. */
class StandbyCommand extends ServerCommand {
    private static final String FROM = "--from";
    private static final String NAME = "--name";
    private static final String SLOT = "--slot";
    private static final String CREATE_SLOT = "--create-slot";
    private static final Pattern NAME_IN_ENDPOINT =
            Pattern.compile("\\bapplication_name=([A-Za-z0-9_.-]+)(?=[&\\s]|$)");
    private static final Pattern CONNINFO = Pattern.compile("\\s*[a-z_]+\\s*=.*", Pattern.DOTALL);
    private static final String HEADER = """
            # This server is a standby. Parameters, one a line, as in lockstep.conf: name = value

            """;

    @Override
    public String name() {
        return "standby";
    }

    @Override
    public String synopsis() {
        return "DIR --from URI [--name NAME] [--slot NAME [--create-slot]] [--listen URI]... [--set NAME=VALUE]... [--daemon]";
    }

    @Override
    public String summary() {
        return "runs a standby on the data directory DIR, which it makes if need be";
    }

    @Override
    public String details() {
        return """
            --from URI         where the primary listens; needed the first time, and kept
                               in DIR/recovery.conf. With it, the directory of a primary
                               that has been replaced becomes that of a standby.
                               postgresql://USER@HOST:PORT/ or 'host=HOST user=USER …'
                               receives the WAL of a PostgreSQL server
            --name NAME        what the primary calls this standby; if it is not given the
                               first time, application_name in URI, or the name of DIR
            --slot NAME        the replication slot with which the primary keeps WAL while
                               this standby is away; "slot create NAME" there makes it
            --create-slot      has the first base backup make that slot
            """ + OPTIONS;
    }

    @Override
    Set<String> moreOptions() {
        return Set.of(FROM, NAME, SLOT);
    }

    @Override
    Set<String> moreFlags() {
        return Set.of(CREATE_SLOT);
    }

    @Override
    void check(DataDir directory, Arguments arguments) {
        arguments.value(FROM).filter(from -> !CONNINFO.matcher(from).matches()).ifPresent(uri -> checkUri(FROM, uri));
        if (arguments.has(CREATE_SLOT) && arguments.value(SLOT).isEmpty()) {
            throw new UsageException(CREATE_SLOT + " needs " + SLOT + " NAME");
        }
        if (arguments.value(FROM).isEmpty() && !Files.exists(directory.path())) {
            throw new UsageException("--from URI is missing: where does the primary listen?");
        }
    }

    @Override
    void prepare(DataDir directory, Arguments arguments) throws IOException {
        Optional<String> from = arguments.value(FROM);
        Optional<String> name = arguments.value(NAME);
        boolean first = !Files.exists(directory.recoveryConf());
        if (first && directory.isInitialized() && from.isEmpty()) {
            throw new Failure(
                    ExitStatus.FAILED,
                    directory.path()
                            + " belongs to a primary, as it has no recovery.conf: start it with \"lockstep primary "
                            + directory.path() + "\", or say with --from which server has replaced it");
        }
        if (first && from.isEmpty()) {
            throw new UsageException("--from URI is missing: where does the primary listen?");
        }
        ConfFile recovery = new ConfFile(directory.recoveryConf());
        if (first) {
            recovery.header(HEADER);
            recovery.set("standby_mode", "on");
            recovery.set(
                    "application_name",
                    name.or(() -> from.map(NAME_IN_ENDPOINT::matcher)
                                    .filter(Matcher::find)
                                    .map(found -> found.group(1)))
                            .orElse(directory.path().getFileName().toString()));
        }
        from.ifPresent(uri -> recovery.set("primary_conninfo", uri));
        name.ifPresent(word -> recovery.set("application_name", word));
        arguments.value(SLOT).ifPresent(word -> recovery.set("primary_slot_name", word));
        if (arguments.has(CREATE_SLOT)) {
            recovery.set("primary_slot_create", "on");
        }
        recovery.save();
        // Only now: a directory with lockstep.conf alone is a primary's.
        directory.initialize();
    }
}
