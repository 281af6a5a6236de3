package lockstep.wal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import lockstep.transport.api.Lsn;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** {@link WalReader} and {@link WalChecker} against WAL laid out byte by byte: what one accepts, so does the other. */
class WalReaderTest {
    private static final int SEGMENT = 1 << 20;
    private static final int PAGE = 8192;
    private static final long START = 0x1000000;
    private static final int SEEDS = 2000;

    private final WalRecord record = new WalRecord();

    // --- what is valid

    @Test
    void theBytesThatPostgresAcceptedAreTheOnesRead() throws IOException {
        WalImage image = new WalImage(16 << 20, START);
        image.add(0, 0, 0, new byte[88]);
        image.add(100, 128, 0, new byte[0]);
        image.add(100, 128, 0, new byte[1]);
        assertBytes("10d1020001000000000000010000000000000000000000000100bc93e9fe24610000000100200000", image.bytes, 0);
        assertBytes("1800000064000000280000010000000000800000d1e4c508", image.bytes, 0xA0);
        assertBytes("1b00000064000000a000000100000000008000 00141f43a9ff0100".replace(" ", ""), image.bytes, 0xB8);
        assertReadsAll(image);
    }

    @ParameterizedTest(name = "seeds from {0}")
    @MethodSource("seeds")
    void whatWasPutInComesOutHoweverTheBytesArrive(int firstSeed) throws IOException {
        for (int seed = firstSeed; seed < firstSeed + SEEDS / 20; seed++) {
            Random random = new Random(seed);
            WalImage image = randomImage(random);
            assertReadsInPieces(image, random, "seed " + seed);
            assertChecksInPieces(image, random, "seed " + seed);
        }
    }

    static IntStream seeds() {
        return IntStream.range(0, 20).map(i -> i * (SEEDS / 20));
    }

    @Test
    void aRecordMayEndExactlyAtTheEndOfAPageAndOfASegment() throws IOException {
        WalImage image = new WalImage(SEGMENT, START);
        assertEquals(0, image.addUpTo(PAGE, 128).endLsn() % PAGE);
        image.add(1, 128, 0, new byte[5]);
        assertEquals(0, image.addUpTo(SEGMENT, 128).endLsn() % SEGMENT);
        image.add(1, 128, 0, new byte[5]);
        assertReadsAll(image);
    }

    @Test
    void aRecordMayFillSegmentsWithNothingButItself() throws IOException {
        WalImage image = new WalImage(16 << 20, START);
        image.add(1, 128, 0, new byte[100]);
        byte[] data = new byte[36 << 20];
        new Random(1).nextBytes(data);
        image.add(1, 129, 0x50, data);
        image.add(1, 128, 0, new byte[100]);
        assertReadsAll(image);
    }

    @Test
    void theRestOfASegmentIsSkippedAfterASwitch() throws IOException {
        WalImage image = new WalImage(SEGMENT, START);
        image.add(0, 128, 0, new byte[100]);
        image.add(0, 0, 0x40, new byte[0]);
        WalImage.Entry next = image.add(0, 128, 0, new byte[100]);
        assertEquals(START + SEGMENT + 40, next.lsn());
        assertReadsAll(image);
    }

    @Test
    void aSwitchWhoseHeaderCrossesAPageIsReadToo() throws IOException {
        WalImage image = new WalImage(SEGMENT, START);
        // 16 bytes are left on the page.
        image.add(0, 128, 0, new byte[PAGE - 40 - 24 - 5 - 16]);
        assertEquals(PAGE - 16, image.add(0, 0, 0x40, new byte[0]).lsn() % PAGE);
        image.add(0, 128, 0, new byte[100]);
        assertReadsAll(image);
    }

    @Test
    void aRecordThatACrashCutOffIsPassedOverWhenItsPageSaysSo() throws IOException {
        WalImage image = new WalImage(SEGMENT, START);
        WalImage.Entry good = image.add(0, 128, 0, new byte[100]);
        WalImage.Entry cut = image.add(0, 128, 0, new byte[10_000]);
        WalImage after = new WalImage(SEGMENT, START);
        after.add(0, 128, 0, new byte[100]);
        // PostgreSQL goes on at the next page, and links back to the last good record.
        after.addUpTo(PAGE, 128);
        WalImage.Entry next = after.add(0, 0, 0xD0, new byte[16]);
        System.arraycopy(after.bytes, PAGE, image.bytes, PAGE, PAGE);
        image.buffer().putShort(PAGE + 2, (short) 8);
        image.buffer().putLong(image.index(next.lsn()) + 8, good.lsn());
        image.sealAgain(next);

        WalReader reader = reader(image, image.source());
        assertEquals(ReadResult.RECORD, reader.next(record, next.endLsn()));
        assertTrue(good.sameAs(record));
        assertEquals(ReadResult.RECORD, reader.next(record, next.endLsn()));
        assertEquals(next.lsn(), record.lsn());
        assertEquals(XlogInfo.OVERWRITE_CONTINUATION, record.info());
        assertTrue(cut.lsn() < record.lsn());

        WalChecker checker = new WalChecker(image.identity(), START, 0);
        checker.accept(START, ByteBuffer.wrap(image.bytes, 0, image.index(next.endLsn())));
        assertEquals(next.endLsn(), checker.checkedLsn());
    }

    @Test
    void nothingPastTheLimitIsRead() throws IOException {
        WalImage image = new WalImage(SEGMENT, START);
        WalImage.Entry first = image.add(0, 128, 0, new byte[100]);
        WalImage.Entry second = image.add(0, 128, 0, new byte[20_000]);
        WalReader reader = reader(image, image.source());
        assertEquals(ReadResult.WAIT, reader.next(record, first.endLsn() - 1));
        assertEquals(ReadResult.RECORD, reader.next(record, first.endLsn()));
        assertEquals(ReadResult.WAIT, reader.next(record, first.endLsn()));
        assertEquals(ReadResult.WAIT, reader.next(record, second.endLsn() - 1));
        assertEquals(ReadResult.RECORD, reader.next(record, second.endLsn()));
        assertTrue(second.sameAs(record));
        assertEquals(second.lsn(), reader.lastRecordLsn());
        assertEquals(second.endLsn(), reader.endLsn());
    }

    @Test
    void theFirstRecordAfterAnyPositionIsFound() throws IOException {
        WalImage image = new WalImage(SEGMENT, START);
        Random random = new Random(3);
        for (int i = 0; i < 100; i++) {
            image.add(i, 128, 0, new byte[random.nextInt(20_000)]);
        }
        WalReader reader = new WalReader(image.source(), image.identity());
        for (long lsn = START; lsn < image.endLsn(); lsn += 1009) {
            long from = lsn;
            var expected = image.entries.stream().filter(e -> e.lsn() >= from).findFirst();
            boolean found = reader.seekFirst(lsn, image.endLsn());
            assertEquals(
                    expected.isPresent(),
                    found && reader.next(record, image.endLsn()) == ReadResult.RECORD,
                    Lsn.text(lsn));
            expected.ifPresent(e -> assertEquals(e.lsn(), record.lsn()));
        }
    }

    @Test
    void whereNoRecordCanBeginOneCannotStart() {
        WalImage image = new WalImage(SEGMENT, START);
        WalReader reader = new WalReader(image.source(), image.identity());
        assertThrows(IllegalArgumentException.class, () -> reader.seek(START + 8, WalReader.UNKNOWN));
        assertThrows(IllegalArgumentException.class, () -> reader.seek(START + 41, WalReader.UNKNOWN));
    }

    @Test
    void aCheckerStartsAfreshWhereAnotherStopped() throws IOException {
        WalImage image = randomImage(new Random(7));
        WalChecker checker = new WalChecker(image.identity(), START, 0);
        long sent = START;
        while (sent < image.endLsn()) {
            long next = Math.min(image.endLsn(), sent + 5_000);
            checker.accept(sent, ByteBuffer.wrap(image.bytes, image.index(sent), (int) (next - sent)));
            sent = Math.max(checker.checkedLsn(), START);
            checker = new WalChecker(image.identity(), sent, checker.lastRecordLsn());
            if (next == image.endLsn()) {
                break;
            }
            // A record longer than the piece needs a longer one: go on in the same checker until it moves.
            long stuck = sent;
            while (checker.checkedLsn() == stuck && sent < image.endLsn()) {
                next = Math.min(image.endLsn(), sent + 5_000);
                checker.accept(sent, ByteBuffer.wrap(image.bytes, image.index(sent), (int) (next - sent)));
                sent = next;
            }
            sent = checker.checkedLsn();
            checker = new WalChecker(image.identity(), sent, checker.lastRecordLsn());
        }
        assertEquals(image.endLsn(), checker.checkedLsn());
    }

    @Test
    void aCheckerThatStartsInsideARecordChecksFromTheNextOne() throws IOException {
        WalImage image = new WalImage(SEGMENT, START);
        WalImage.Entry cut = image.add(0, 128, 0, new byte[3 * PAGE]);
        image.add(0, 128, 0, new byte[100]);
        WalChecker checker = new WalChecker(image.identity(), START + PAGE, WalReader.UNKNOWN);
        int from = PAGE;
        checker.accept(START + PAGE, ByteBuffer.wrap(image.bytes, from, image.index(cut.endLsn()) - from));
        assertEquals(cut.endLsn(), checker.checkedLsn());
        from = image.index(cut.endLsn());
        checker.accept(cut.endLsn(), ByteBuffer.wrap(image.bytes, from, image.index(image.endLsn()) - from));
        assertEquals(image.endLsn(), checker.checkedLsn());
        assertEquals(image.prevLsn(), checker.lastRecordLsn());
    }

    // --- what is not

    /** A row of the table of defects: what is done to good WAL, and what is said about it. */
    record Defect(String name, Consumer<WalImage> damage, String reason) {
        @Override
        public String toString() {
            return name;
        }
    }

    /** The WAL that is damaged: a page of small records, then one over three pages, then a page that a record begins. */
    private static WalImage sound() {
        WalImage image = new WalImage(SEGMENT, START);
        for (int i = 0; i < 20; i++) {
            image.add(i, 128, 0x10, new byte[100]);
        }
        image.add(20, 128, 0x10, new byte[20_000]);
        image.addUpTo(PAGE, 128);
        for (int i = 22; i < 30; i++) {
            image.add(i, 128, 0x10, new byte[100]);
        }
        image.addUpTo(SEGMENT, 128);
        image.add(31, 128, 0x10, new byte[100]);
        return image;
    }

    static Stream<Defect> defects() {
        WalImage image = sound();
        WalImage.Entry tenth = image.entries.get(10);
        String at = Lsn.text(tenth.lsn());
        int tenthIndex = image.index(tenth.lsn());
        String crossing = Lsn.text(image.entries.get(20).lsn());
        int third = image.index(image.entries.get(22).lsn()) - 24;
        String segment = "000000010000000000000010";
        String next = "000000010000000000000011";
        return Stream.of(
                new Defect(
                        "zeros from a record on",
                        i -> i.zero(tenth.lsn(), START + SEGMENT),
                        "invalid record length at " + at + ": wanted 24, got 0"),
                new Defect(
                        "a page of zeros where a record should go on",
                        i -> i.zero(START + PAGE, START + 2 * PAGE),
                        "invalid magic number 0000 in log segment " + segment + ", offset 8192"),
                new Defect(
                        "a page of zeros where a record should begin",
                        i -> i.zero(START + third, START + third + PAGE),
                        "invalid magic number 0000 in log segment " + segment + ", offset " + third),
                new Defect(
                        "a changed byte",
                        i -> i.bytes[tenthIndex + 50]++,
                        "incorrect resource manager data checksum in record at " + at),
                new Defect(
                        "a changed byte in a record over pages",
                        i -> i.bytes[PAGE + 500]++,
                        "incorrect resource manager data checksum in record at " + crossing),
                new Defect(
                        "a wrong link to the previous record",
                        i -> {
                            i.buffer().putLong(tenthIndex + 8, START + 40);
                            i.sealAgain(tenth);
                        },
                        "record with incorrect prev-link 0/1000028 at " + at),
                new Defect(
                        "a length below that of a header",
                        i -> i.buffer().putInt(tenthIndex, 10),
                        "invalid record length at " + at + ": wanted 24, got 10"),
                new Defect(
                        "an absurd length",
                        i -> i.buffer().putInt(tenthIndex, Integer.MAX_VALUE),
                        "record length 2147483647 at " + at + " too long"),
                new Defect(
                        "an absurd length with the highest bit",
                        i -> i.buffer().putInt(tenthIndex, -1),
                        "record length 4294967295 at " + at + " too long"),
                new Defect(
                        "a length that runs into the next page",
                        i -> i.buffer().putInt(tenthIndex, 100_000_000),
                        "invalid contrecord length " + image.buffer().getInt(PAGE + 16) + " (expected "
                                + (100_000_000 - (PAGE - tenthIndex)) + ") at " + at),
                new Defect(
                        "data longer than the record",
                        i -> {
                            i.bytes[tenthIndex + 25]++;
                            i.sealAgain(tenth);
                        },
                        "record with invalid length at " + at),
                new Defect(
                        "a resource manager that cannot be",
                        i -> {
                            i.bytes[tenthIndex + 17] = 22;
                            i.sealAgain(tenth);
                        },
                        "invalid resource manager ID 22 at " + at),
                new Defect(
                        "the last resource manager that cannot be",
                        i -> {
                            i.bytes[tenthIndex + 17] = 127;
                            i.sealAgain(tenth);
                        },
                        "invalid resource manager ID 127 at " + at),
                new Defect(
                        "bytes in the padding",
                        i -> i.bytes[tenthIndex + 127] = 1,
                        "non-zero padding after record at " + at),
                new Defect(
                        "a recycled page",
                        i -> i.buffer().putLong(PAGE + 8, 0xA000),
                        "unexpected pageaddr 0/A000 in log segment " + segment + ", offset 8192"),
                new Defect(
                        "no continuation flag",
                        i -> i.buffer().putShort(PAGE + 2, (short) 0),
                        "there is no contrecord flag at " + crossing),
                new Defect(
                        "a continuation flag where a record begins",
                        i -> i.buffer().putShort(third + 2, (short) 1),
                        "contrecord is requested by " + Lsn.text(START + third)),
                new Defect(
                        "a wrong remaining length",
                        i -> i.buffer().putInt(PAGE + 16, 5),
                        "invalid contrecord length 5 (expected "
                                + image.buffer().getInt(PAGE + 16) + ") at " + crossing),
                new Defect(
                        "the magic number of another version",
                        i -> i.buffer().putShort(PAGE, (short) 0xD10D),
                        "invalid magic number D10D in log segment " + segment + ", offset 8192"),
                new Defect(
                        "a timeline lower than the page before",
                        i -> i.buffer().putInt(PAGE + 4, 0),
                        "out-of-sequence timeline ID 0 (after 1) in log segment " + segment + ", offset 8192"),
                new Defect(
                        "a timeline later than the log",
                        i -> i.buffer().putInt(PAGE + 4, 2),
                        "out-of-sequence timeline ID 2 (the log is on 1) in log segment " + segment + ", offset 8192"),
                new Defect(
                        "unknown flags",
                        i -> i.buffer().putShort(PAGE + 2, (short) 0x11),
                        "invalid info bits 0011 in log segment " + segment + ", offset 8192"),
                new Defect(
                        "another segment size",
                        i -> i.buffer().putInt(SEGMENT + 32, 16 << 20),
                        "incorrect segment size 16777216 in page header, expected 1048576 in log segment " + next
                                + ", offset 0"),
                new Defect(
                        "another page size",
                        i -> i.buffer().putInt(SEGMENT + 36, 4096),
                        "incorrect page size 4096 in page header, expected 8192 in log segment " + next + ", offset 0"),
                new Defect(
                        "another system in a later segment",
                        i -> i.buffer().putLong(SEGMENT + 24, -1),
                        "WAL file is from different database system: WAL file database system identifier is"
                                + " 18446744073709551615, expected 7000000000000000001 in log segment " + next
                                + ", offset 0"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("defects")
    void everyDefectIsFoundAndNamedByBoth(Defect defect) throws IOException {
        WalImage image = sound();
        defect.damage.accept(image);

        WalReader reader = reader(image, image.source());
        int good = 0;
        while (reader.next(record, image.endLsn()) == ReadResult.RECORD) {
            assertTrue(image.entries.get(good).sameAs(record));
            good++;
        }
        assertEquals(defect.reason, reader.reason());
        assertEquals(image.entries.get(good - 1).endLsn(), reader.endLsn());
        assertEquals(ReadResult.INVALID, reader.next(record, image.endLsn()), "it stays invalid");

        for (int piece : new int[] {1, 777, PAGE, 1 << 20}) {
            WalChecker checker = new WalChecker(image.identity(), START, 0);
            WalCorruptionException found =
                    assertThrows(WalCorruptionException.class, () -> feed(checker, image, piece));
            assertTrue(found.getMessage().endsWith(": " + defect.reason), found.getMessage());
            assertEquals(reader.endLsn(), checker.checkedLsn());
            assertEquals(reader.lastRecordLsn(), checker.lastRecordLsn());
        }
    }

    @Test
    void aFileCutShortIsWaitedForAndNotCalledInvalid() throws IOException {
        WalImage image = sound();
        WalReader reader = reader(image, image.source(START + 10_000));
        ReadResult result;
        do {
            result = reader.next(record, Long.MAX_VALUE);
        } while (result == ReadResult.RECORD);
        assertEquals(ReadResult.WAIT, result);
        assertEquals(image.entries.get(19).endLsn(), reader.endLsn());
        assertTrue(reader.reason().contains("000000010000000000000010"), reader.reason());
    }

    @Test
    void everySingleFlippedBitOfAPageIsFoundByTheChecker() throws IOException {
        WalImage image = sound();
        int end = 4 * PAGE;
        long checkedLsn = checkedBefore(image, end);
        for (int index = PAGE; index < 3 * PAGE; index++) {
            for (int bit = 0; bit < 8; bit++) {
                if (index % PAGE == 2 && bit == 2) {
                    // A hint about full-page images, that may be on or off.
                    continue;
                }
                image.bytes[index] ^= (byte) (1 << bit);
                assertTrue(checkedBefore(image, end) < checkedLsn, "bit " + bit + " of byte " + index);
                image.bytes[index] ^= (byte) (1 << bit);
            }
        }
    }

    @Test
    void aFlippedBitInAnyByteIsFoundByTheReader() throws IOException {
        WalImage image = sound();
        WalReader reader = reader(image, image.source());
        for (int index = 0; index < 5 * PAGE; index++) {
            int bit = index % PAGE == 2 ? 0 : index % 8;
            image.bytes[index] ^= (byte) (1 << bit);
            reader.seek(START, 0);
            ReadResult result;
            do {
                result = reader.next(record, START + 5 * PAGE);
                // No record is given out that the damage is in.
                long from = result == ReadResult.RECORD ? record.lsn() : 0;
                assertFalse(from <= START + index && START + index < reader.endLsn() && from != 0, "byte " + index);
            } while (result == ReadResult.RECORD);
            image.bytes[index] ^= (byte) (1 << bit);
        }
    }

    @Test
    void zerosAfterASwitchAreCheckedWhenTheyStreamIn() throws IOException {
        WalImage image = new WalImage(SEGMENT, START);
        WalImage.Entry before = image.add(0, 128, 0, new byte[100]);
        image.add(0, 0, 0x40, new byte[0]);
        image.add(0, 128, 0, new byte[100]);
        image.bytes[PAGE + 5] = 1;
        WalChecker checker = new WalChecker(image.identity(), START, 0);
        assertThrows(WalCorruptionException.class, () -> feed(checker, image, 1000));
        assertEquals(before.endLsn(), checker.checkedLsn());
    }

    @Test
    void aPieceThatLeavesAGapIsRefused() {
        WalImage image = sound();
        WalChecker checker = new WalChecker(image.identity(), START, 0);
        assertThrows(
                IllegalArgumentException.class, () -> checker.accept(START + 8, ByteBuffer.wrap(image.bytes, 8, 100)));
    }

    // ---

    static WalReader reader(WalImage image, WalSource source) {
        WalReader reader = new WalReader(source, image.identity());
        reader.seek(image.startLsn, 0);
        return reader;
    }

    private void assertReadsAll(WalImage image) throws IOException {
        WalReader reader = reader(image, image.source());
        for (WalImage.Entry entry : image.entries) {
            assertEquals(ReadResult.RECORD, reader.next(record, image.endLsn()), reader.reason());
            assertTrue(entry.sameAs(record), Lsn.text(entry.lsn()));
        }
        assertEquals(ReadResult.WAIT, reader.next(record, image.endLsn()));
        WalChecker checker = new WalChecker(image.identity(), image.startLsn, 0);
        feed(checker, image, 100_000);
        assertEquals(image.endLsn(), checker.checkedLsn());
        assertEquals(image.prevLsn(), checker.lastRecordLsn());
    }

    private void assertReadsInPieces(WalImage image, Random random, String seed) throws IOException {
        WalSource all = image.source();
        WalSource pieces = new WalSource() {
            @Override
            public int read(long lsn, ByteBuffer dst) throws IOException {
                int limit = dst.limit();
                dst.limit(dst.position() + Math.min(dst.remaining(), random.nextInt(20_000)));
                int read = all.read(lsn, dst);
                dst.limit(limit);
                return read;
            }

            @Override
            public void close() {}
        };
        WalReader reader = reader(image, pieces);
        long limit = START;
        int good = 0;
        while (good < image.entries.size()) {
            ReadResult result = reader.next(record, limit);
            if (result == ReadResult.RECORD) {
                WalImage.Entry entry = image.entries.get(good++);
                assertTrue(entry.sameAs(record), seed + " at " + Lsn.text(entry.lsn()));
                assertTrue(record.endLsn() <= limit, seed);
                assertEquals(entry.endLsn(), reader.endLsn(), seed);
            } else {
                assertEquals(ReadResult.WAIT, result, () -> seed + ": " + reader.reason());
                limit = Math.min(image.endLsn(), limit + random.nextInt(30_000));
            }
        }
    }

    private static void assertChecksInPieces(WalImage image, Random random, String seed) throws IOException {
        WalChecker checker = new WalChecker(image.identity(), START, 0);
        int most = 1 << random.nextInt(1, 18);
        long lsn = START;
        int whole = 0;
        while (lsn < image.endLsn()) {
            int count = (int) Math.min(random.nextInt(1, most + 1), image.endLsn() - lsn);
            checker.accept(lsn, ByteBuffer.wrap(image.bytes, image.index(lsn), count));
            lsn += count;
            while (whole < image.entries.size() && image.entries.get(whole).endLsn() <= lsn) {
                whole++;
            }
            long expected = whole == 0 ? START : image.entries.get(whole - 1).endLsn();
            assertEquals(expected, checker.checkedLsn(), seed);
        }
        assertEquals(image.entries.size(), whole, seed);
    }

    static WalImage randomImage(Random random) {
        WalImage image = new WalImage(SEGMENT, START);
        int records = random.nextInt(1, 60);
        for (int i = 0; i < records; i++) {
            int rmgr = random.nextBoolean() ? random.nextInt(128, 256) : random.nextInt(1, 22);
            switch (random.nextInt(12)) {
                case 0 -> image.addUpTo(PAGE, rmgr);
                case 1 -> image.add(random.nextInt(), rmgr, 0x30, randomBytes(random, 30_000));
                case 2 -> image.add(random.nextInt(), rmgr, 0xF0, new byte[0]);
                case 3 -> image.add(random.nextInt(), rmgr, 0, new byte[random.nextInt(250, 262)]);
                case 4 -> {
                    if (random.nextInt(10) == 0) {
                        image.add(0, 0, 0x40, new byte[0]);
                    }
                }
                case 5 -> {
                    if (random.nextInt(10) == 0) {
                        image.addUpTo(SEGMENT, rmgr);
                    }
                }
                default -> image.add(random.nextInt(), rmgr, 0x10, randomBytes(random, 600));
            }
        }
        image.add(1, 128, 0, new byte[1]);
        return image;
    }

    private static byte[] randomBytes(Random random, int bound) {
        byte[] bytes = new byte[random.nextInt(bound)];
        random.nextBytes(bytes);
        return bytes;
    }

    private static void feed(WalChecker checker, WalImage image, int piece) throws IOException {
        for (long lsn = image.startLsn; lsn < image.endLsn(); lsn += piece) {
            int count = (int) Math.min(piece, image.endLsn() - lsn);
            checker.accept(lsn, ByteBuffer.wrap(image.bytes, image.index(lsn), count));
        }
    }

    private static long checkedBefore(WalImage image, int end) {
        WalChecker checker = new WalChecker(image.identity(), START, 0);
        try {
            checker.accept(START, ByteBuffer.wrap(image.bytes, 0, end));
        } catch (WalCorruptionException e) {
            assertTrue(checker.checkedLsn() < START + end);
        }
        return checker.checkedLsn();
    }

    private static void assertBytes(String expectedHex, byte[] bytes, int from) {
        byte[] expected = HexFormat.of().parseHex(expectedHex);
        assertArrayEquals(expected, Arrays.copyOfRange(bytes, from, from + expected.length));
    }
}
