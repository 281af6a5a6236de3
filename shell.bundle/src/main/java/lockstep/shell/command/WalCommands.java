package lockstep.shell.command;

import java.io.IOException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import lockstep.io.DataDirectory;
import lockstep.io.Disk;
import lockstep.io.FileDisk;
import lockstep.primary.Primary;
import lockstep.recovery.ControlFile;
import lockstep.rmgr.ResourceManager;
import lockstep.rmgr.ResourceManagers;
import lockstep.transport.api.Lsn;
import lockstep.wal.Wal;
import lockstep.wal.WalDump;
import lockstep.wal.WalInspector;
import lockstep.wal.WalRecord;
import lockstep.wal.WalStatistics;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.apache.felix.service.command.annotations.GogoCommand;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;

/** Looks at the WAL on the disk of this server, whatever its role. */
@Component(service = WalCommands.class)
@GogoCommand(scope = "lockstep", function = "wal")
public final class WalCommands {
    private static final String USAGE =
            "wal ls | wal dump [FROM] [TO] | wal stats [FROM] [TO] | wal verify | wal switch | wal restore-point NAME [--json]";
    private static final String RESTORE_POINT = "restore-point";
    private static final int MAX_WORDS = 3;

    /** What may be torn at the end if the server cannot tell: PostgreSQL's largest automatic {@code wal_buffers}. */
    private static final int DEFAULT_BUFFER_BYTES = 16 << 20;

    private final LocalServer server;
    private final Disk disk;
    private final ResourceManagers managers = new ResourceManagers();

    /** Made by the framework. */
    @Activate
    public WalCommands(@Reference LocalServer server, @Reference DataDirectory directory) throws IOException {
        this.server = server;
        disk = new FileDisk(directory.path());
    }

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void addManager(ResourceManager manager) {
        managers.add(manager);
    }

    void removeManager(ResourceManager manager) {
        managers.remove(manager);
    }

    /** Does one of these things. */
    @Descriptor(
            "ls: list the segments; dump: show records as pg_waldump does; stats: count them by resource manager, as"
                    + " pg_waldump --stats does; verify: read all and report the first"
                    + " damage; switch: end the present segment; restore-point: give the end of the log a name to recover to")
    public String wal(
            CommandSession session,
            @Descriptor("one JSON object") @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor(
                            "ls | dump [FROM] [TO] | stats [FROM] [TO] | verify | switch | restore-point NAME; FROM and TO are LSNs, without"
                                    + " FROM from the last checkpoint's redo position, or, to count, from the oldest segment")
                    String... words)
            throws IOException, InterruptedException {
        Words given = new Words(USAGE, 1, MAX_WORDS, words);
        String what = given.oneOf(USAGE, "ls", "dump", "stats", "verify", "switch", RESTORE_POINT);
        boolean wrong = what.equals(RESTORE_POINT)
                ? given.find(1).isEmpty() || given.find(2).isPresent()
                : given.find(1).isPresent() && !what.equals("dump") && !what.equals("stats");
        if (wrong) {
            throw new IllegalArgumentException("usage: " + USAGE);
        }
        return switch (what) {
            case "ls" -> list(json);
            case "dump" -> {
                dump(Console.of(session).out(), given.find(1), given.find(2), json);
                yield null;
            }
            case "stats" -> stats(given.find(1), given.find(2), json);
            case "verify" -> verify(json);
            case RESTORE_POINT -> restorePoint(given.get(1), json);
            default -> switchSegment(json);
        };
    }

    private WalInspector inspector(ControlFile control) throws IOException {
        Optional<Wal> wal = server.findPrimary().flatMap(Primary::wal);
        long received = server.findStandby()
                .map(standby -> standby.report().receiver().flushedLsn())
                .orElse(Lsn.INVALID);
        OptionalLong flushedLsn = OptionalLong.empty();
        if (wal.isPresent()) {
            flushedLsn = OptionalLong.of(wal.get().flushedLsn());
        } else if (received != Lsn.INVALID) {
            flushedLsn = OptionalLong.of(received);
        }
        return new WalInspector(
                disk,
                control.identity(disk),
                flushedLsn,
                control.redoLsn(),
                control.knownFlushedLsn(),
                wal.map(running -> running.config().bufferBytes()).orElse(DEFAULT_BUFFER_BYTES));
    }

    private ControlFile control() throws IOException {
        if (!ControlFile.exists(disk)) {
            throw new IOException("there is no WAL here yet: this standby has not finished its base backup");
        }
        return ControlFile.read(disk);
    }

    private String list(boolean json) throws IOException {
        List<Fields> rows = inspector(control()).segments().stream()
                .map(segment -> new Fields()
                        .text("name", segment.name())
                        .lsn("start_lsn", segment.startLsn())
                        .lsn("end_lsn", segment.endLsn())
                        .text("state", Text.lower(segment.state()))
                        .size("bytes", segment.bytes()))
                .toList();
        return Fields.present(rows, "segments", "there is no segment", json);
    }

    private void dump(PrintStream out, Optional<String> from, Optional<String> to, boolean json)
            throws IOException, InterruptedException {
        ControlFile control = control();
        long fromLsn = from.map(text -> Lsn.parse(text).value()).orElse(control.redoLsn());
        long toLsn = to.map(text -> Lsn.parse(text).value()).orElse(Long.MAX_VALUE);
        WalDump dump = new WalDump(new WalDump.CustomRmgrs() {
            @Override
            public Optional<String> name(int rmgr) {
                return managers.get(rmgr).map(ResourceManager::name);
            }

            @Override
            public String describe(WalRecord record) {
                return managers.get(record.rmgr())
                        .map(manager -> manager.describe(record))
                        .orElse("");
            }
        });
        WalInspector inspector = inspector(control);
        if (!json) {
            inspector.dump(fromLsn, toLsn, record -> out.println(dump.line(record)));
            return;
        }
        String[] separator = {""};
        out.print("{\"records\":[");
        try {
            inspector.dump(fromLsn, toLsn, record -> {
                out.print(separator[0] + fields(dump, record).json());
                separator[0] = ",";
            });
        } finally {
            out.println("]}");
        }
    }

    private String stats(Optional<String> from, Optional<String> to, boolean json)
            throws IOException, InterruptedException {
        ControlFile control = control();
        WalStatistics statistics = new WalStatistics(control.format());
        inspector(control)
                .dump(
                        from.map(text -> Lsn.parse(text).value()).orElse(0L),
                        to.map(text -> Lsn.parse(text).value()).orElse(Long.MAX_VALUE),
                        statistics::add);
        List<WalStatistics.Count> counts = new ArrayList<>(statistics.counts());
        if (!json) {
            counts.add(statistics.total());
        }
        return Fields.present(counts.stream().map(this::row).toList(), "rmgrs", "there is no record", json);
    }

    private Fields row(WalStatistics.Count count) {
        String name = count.rmgr() < 0
                ? "Total"
                : managers.get(count.rmgr()).map(ResourceManager::name).orElse(WalDump.rmgrName(count.rmgr()));
        return new Fields()
                .text("type", name)
                .count("n", count.records())
                .size("record_size", count.recordBytes())
                .size("fpi_size", count.imageBytes())
                .size("combined_size", count.totalBytes());
    }

    private static Fields fields(WalDump dump, WalRecord record) {
        return new Fields()
                .lsn("lsn", record.lsn())
                .lsn("end_lsn", record.endLsn())
                .lsn("prev_lsn", record.prevLsn())
                .text("rmgr", dump.rmgr(record))
                .count("xid", Integer.toUnsignedLong(record.xid()))
                .count("bytes", record.totalBytes())
                .text("description", dump.description(record));
    }

    private String verify(boolean json) throws IOException, InterruptedException {
        WalInspector.Verified verified = inspector(control()).verify();
        return json
                ? new Fields()
                        .lsn("start_lsn", verified.startLsn())
                        .lsn("end_lsn", verified.endLsn())
                        .count("segments", verified.segments())
                        .count("records", verified.records())
                        .json()
                : "the WAL from " + Lsn.text(verified.startLsn()) + " to " + Lsn.text(verified.endLsn()) + " is good: "
                        + Text.count(verified.records(), "record") + " in "
                        + Text.count(verified.segments(), "segment");
    }

    private String switchSegment(boolean json) {
        Primary primary = server.primary("segments are switched");
        long lsn =
                primary.wal().orElseThrow(() -> LocalServer.notRunning(primary)).switchSegment();
        return new Fields().lsn("lsn", lsn).present(json);
    }

    private String restorePoint(String name, boolean json) throws IOException {
        long lsn = server.primary("restore points are made").restorePoint(name);
        return new Fields().lsn("lsn", lsn).text("name", name).present(json);
    }
}
