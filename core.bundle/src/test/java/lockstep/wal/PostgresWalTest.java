package lockstep.wal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import lockstep.io.FileDisk;
import lockstep.transport.api.Lsn;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The reading side against PostgreSQL 15 itself: its WAL, and what its {@code pg_waldump} says of that and of ours. */
class PostgresWalTest {
    private static final String PROGRAMS = "/usr/lib/postgresql/15/bin/";
    private static final int SEGMENT = 1 << 20;
    private static final Pattern LINE =
            Pattern.compile("rmgr: (\\S+) +len \\(rec/tot\\): *(\\d+)/ *(\\d+), tx: +(\\d+), "
                    + "lsn: (\\S+), prev (\\S+), desc: (.*)");
    private static final WalDump DUMP = new WalDump(new WalDump.CustomRmgrs() {
        @Override
        public Optional<String> name(int rmgr) {
            return rmgr == 200 ? Optional.of("kv") : Optional.empty();
        }

        @Override
        public String describe(WalRecord record) {
            return "PUT " + record.data().remaining();
        }
    });

    @TempDir
    Path images;

    private Path home;

    @BeforeEach
    void makeHome() throws Exception {
        home = Files.createTempDirectory(Path.of("/tmp"), "lockstep-pg");
        if (isRoot()) {
            run(List.of("chown", "postgres", home.toString()));
        }
    }

    @AfterEach
    void removeHome() throws IOException {
        try (Stream<Path> files = Files.walk(home)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    @Test
    void theWalOfARealServerReadsAsPgWaldumpShowsIt() throws Exception {
        Path data = home.resolve("data");
        postgres("initdb", "-D", data.toString(), "--wal-segsize=1", "-U", "postgres", "-A", "trust", "-N");
        String options = "-k " + home + " -c listen_addresses= -c wal_keep_size=512MB -c max_wal_size=2GB"
                + " -c checkpoint_timeout=1h -c autovacuum=off";
        postgres(
                "pg_ctl",
                "-D",
                data.toString(),
                "-o",
                options,
                "-l",
                home.resolve("log").toString(),
                "-w",
                "start");
        try {
            sql("create table t (k int primary key, v text)");
            sql("insert into t select n, repeat(md5(n::text), 10) from generate_series(1, 5000) n");
            sql("begin; insert into t values (-1, 'x'); rollback");
            sql("select pg_switch_wal()");
            sql("select pg_logical_emit_message(true, 'lockstep', repeat('x', 3000000))");
            sql("select pg_create_restore_point('half way')");
            sql("checkpoint");
            sql("update t set v = v || '!' where k % 3 = 0");
        } finally {
            // Immediately, so that the WAL ends as after a crash.
            postgres("pg_ctl", "-D", data.toString(), "-m", "immediate", "-w", "stop");
        }
        Path pgWal = data.resolve("pg_wal");
        WalLayout layout = new WalLayout(SEGMENT);
        List<Path> segments = segments(pgWal);
        long start = layout.segmentStart(
                layout.segmentNumber(segments.get(0).getFileName().toString()));
        ByteBuffer first = ByteBuffer.wrap(Files.readAllBytes(segments.get(0))).order(ByteOrder.LITTLE_ENDIAN);
        WalIdentity identity = new WalIdentity(first.getLong(24), TimelineHistory.of(1), layout);

        List<String> shown = postgresFails("pg_waldump", "-p", pgWal.toString(), "-s", Lsn.text(start));
        String end = shown.remove(shown.size() - 1);
        shown.removeIf(line -> !line.startsWith("rmgr: "));
        assertTrue(shown.size() > 5000, "only " + shown.size() + " records");

        try (SegmentSource source = new SegmentSource(new FileDisk(data), identity)) {
            WalReader reader = new WalReader(source, identity);
            assertTrue(reader.seekFirst(start, Long.MAX_VALUE), reader.reason());
            WalRecord record = new WalRecord();
            WalStatistics read = new WalStatistics(WalFormat.POSTGRESQL_15);
            for (String line : shown) {
                assertEquals(ReadResult.RECORD, reader.next(record, Long.MAX_VALUE), reader.reason());
                read.add(record);
                assertSameLine(line, DUMP.line(record));
            }
            assertEquals(ReadResult.INVALID, reader.next(record, Long.MAX_VALUE));
            assertTrue(end.endsWith(": " + reader.reason()), () -> shortened(end) + " / " + reader.reason());

            long filesEndLsn = start + (long) segments.size() * SEGMENT;
            new WalEnd(source, identity).check(reader, filesEndLsn, 4 << 20, 0);

            WalStatistics passed = new WalStatistics(WalFormat.POSTGRESQL_15);
            List<CheckpointRecord> checkpoints = new ArrayList<>();
            WalChecker checker = new WalChecker(identity, start, WalReader.UNKNOWN, next -> {
                passed.add(next);
                if (CheckpointRecord.is(next)) {
                    checkpoints.add(CheckpointRecord.decode(next.data()));
                }
            });
            ByteBuffer piece = ByteBuffer.allocateDirect(128 << 10);
            Random random = new Random(1);
            for (long lsn = start; lsn < reader.endLsn(); lsn += piece.limit()) {
                piece.clear().limit((int) Math.min(random.nextInt(1, piece.capacity()), reader.endLsn() - lsn));
                piece.limit(source.read(lsn, piece)).position(0);
                checker.accept(lsn, piece);
            }
            assertEquals(reader.endLsn(), checker.checkedLsn());
            assertEquals(reader.lastRecordLsn(), checker.lastRecordLsn());
            assertEquals(read.counts(), passed.counts());
            assertTrue(passed.total().imageBytes() > 0);
            assertEquals(
                    shown.stream().filter(line -> line.contains("CHECKPOINT_")).count(), checkpoints.size());
        }
    }

    @Test
    void pgWaldumpShowsLaidOutWalAsWeDo() throws Exception {
        WalImage image = new WalImage(SEGMENT, 0x1000000);
        image.add(0, 0, 0, checkpoint(image.endLsn() + 40));
        image.add(7, 128, 0, new byte[0]);
        image.add(7, 255, 0xF0, new byte[70_000]);
        image.add(7, 1, 0, commit());
        image.add(8, 1, 0x20, commit());
        image.add(0, 0, 0x20, new byte[3]);
        image.add(0, 0, 0x70, restorePoint());
        image.add(0, 0, 0x40, new byte[0]);
        image.add(0, 0, 0x90, endOfRecovery());
        image.add(0, 0, 0x30, new byte[] {1, 2, 3, 4});
        image.add(0, 0, 0x10, checkpoint(image.prevLsn()));
        image.addUpTo(8192, 129);
        image.addUpTo(SEGMENT, 130);
        image.add(0, 128, 0, new byte[10]);
        Path pgWal = images.resolve("pg_wal");
        image.write(pgWal);

        List<String> shown = execute(
                List.of(
                        PROGRAMS + "pg_waldump",
                        "-p",
                        pgWal.toString(),
                        "-s",
                        "0/1000028",
                        "-e",
                        Lsn.text(image.endLsn())),
                true);
        assertEquals(image.entries.size(), shown.size());
        try (SegmentSource source = new SegmentSource(new FileDisk(images), image.identity())) {
            WalReader reader = new WalReader(source, image.identity());
            reader.seek(0x1000028, 0);
            WalRecord record = new WalRecord();
            for (String line : shown) {
                assertEquals(ReadResult.RECORD, reader.next(record, image.endLsn()), reader.reason());
                assertEquals(line.stripTrailing(), DUMP.line(record));
            }
        }
    }

    @Test
    void aResourceManagerThatIsHereDescribesItsRecords() throws IOException {
        WalImage image = new WalImage(SEGMENT, 0x1000000);
        image.add(9, 200, 0, new byte[5]);
        WalReader reader = WalReaderTest.reader(image, image.source());
        WalRecord record = new WalRecord();
        assertEquals(ReadResult.RECORD, reader.next(record, image.endLsn()));
        assertEquals(
                "rmgr: kv          len (rec/tot):     31/    31, tx:          9, lsn: 0/01000028, prev 0/00000000, "
                        + "desc: PUT 5",
                DUMP.line(record));
    }

    /** Compares lines; for records whose data only PostgreSQL understands, only what the header says. */
    private static void assertSameLine(String theirs, String ours) {
        Matcher expected = LINE.matcher(theirs);
        Matcher actual = LINE.matcher(ours);
        assertTrue(expected.matches(), () -> shortened(theirs));
        assertTrue(actual.matches(), () -> shortened(ours));
        for (int group : new int[] {1, 3, 4, 5, 6}) {
            assertEquals(expected.group(group), actual.group(group), () -> shortened(theirs));
        }
        boolean log = expected.group(1).equals("XLOG")
                && !expected.group(7).contains("blkref")
                && !expected.group(7).startsWith("PARAMETER_CHANGE");
        boolean end = expected.group(1).equals("Transaction");
        if (log) {
            assertEquals(theirs.stripTrailing(), ours);
        } else if (end) {
            // What follows the time is about PostgreSQL's caches and files.
            assertTrue(theirs.startsWith(ours), () -> theirs + " / " + ours);
        }
    }

    private static String shortened(String line) {
        return line.substring(0, Math.min(line.length(), 200));
    }

    private static byte[] checkpoint(long redoLsn) {
        byte[] bytes = new byte[CheckpointRecord.BYTES];
        new CheckpointRecord(redoLsn, 1, 1, true, 2L << 32 | 733, 24576, 2, 3, 716, 5, 4, 6, 1_700_000_000, 7, 8, 9)
                .encode(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN));
        return bytes;
    }

    private static byte[] commit() {
        byte[] bytes = new byte[CommitRecord.BYTES];
        new CommitRecord(754_321_098_765_432L).encode(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN));
        return bytes;
    }

    private static byte[] restorePoint() {
        byte[] bytes = new byte[72];
        ByteBuffer.wrap(bytes).position(8).put("half way".getBytes(StandardCharsets.UTF_8));
        return bytes;
    }

    private static byte[] endOfRecovery() {
        byte[] bytes = new byte[16];
        ByteBuffer.wrap(bytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(754_321_098_765_432L)
                .putInt(2)
                .putInt(1);
        return bytes;
    }

    private static List<Path> segments(Path pgWal) throws IOException {
        try (Stream<Path> files = Files.list(pgWal)) {
            return files.filter(
                            file -> WalLayout.isSegmentName(file.getFileName().toString()))
                    .sorted()
                    .toList();
        }
    }

    private void sql(String statement) throws Exception {
        postgres("psql", "-h", home.toString(), "-U", "postgres", "-qAtc", statement);
    }

    /** Runs a program of PostgreSQL as a user that it accepts: it refuses to run as root. */
    private static void postgres(String program, String... arguments) throws Exception {
        execute(command(program, arguments), true);
    }

    private static List<String> postgresFails(String program, String... arguments) throws Exception {
        return execute(command(program, arguments), false);
    }

    private static List<String> command(String program, String... arguments) throws Exception {
        List<String> command = new ArrayList<>();
        if (isRoot()) {
            command.addAll(List.of("runuser", "-u", "postgres", "--"));
        }
        command.add(PROGRAMS + program);
        command.addAll(List.of(arguments));
        return command;
    }

    private static boolean isRoot() {
        return System.getProperty("user.name").equals("root");
    }

    private static void run(List<String> command) throws Exception {
        execute(command, true);
    }

    private static List<String> execute(List<String> command, boolean succeeds) throws Exception {
        Path output = Files.createTempFile("lockstep-pg", ".out");
        try {
            ProcessBuilder builder = new ProcessBuilder(command)
                    .directory(Path.of("/tmp").toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile());
            builder.environment().put("TZ", "UTC");
            int status = builder.start().waitFor();
            List<String> lines = new ArrayList<>(Files.readAllLines(output));
            assertEquals(succeeds, status == 0, () -> command + ": " + String.join("\n", lines));
            return lines;
        } finally {
            Files.delete(output);
        }
    }
}
