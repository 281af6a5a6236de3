package lockstep.wal;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WalEndTest {
    private static final int SEGMENT = 1 << 20;
    private static final int PAGE = 8192;
    private static final long START = 0x1000000;
    private static final int MAX_TORN = 32 * PAGE;

    @Test
    void cleanZerosAreTheEnd() throws IOException {
        WalImage image = image(new Random(1), 300_000);
        assertEquals(image.endLsn(), endOf(image, 0));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void aTornTailIsTheEndWhateverPagesOfItWereWritten(int kind) throws IOException {
        byte[] old = image(new Random(-1), 3 * SEGMENT).bytes;
        for (int seed = 0; seed < 50; seed++) {
            Random random = new Random(seed);
            WalImage image = image(random, 400_000 + random.nextInt(1_500_000));
            long lastPage = WalLayout.pageStart(image.endLsn() - 1);
            long firstTorn = lastPage - (long) random.nextInt(MAX_TORN / PAGE) * PAGE;
            for (long page = firstTorn; page <= lastPage; page += PAGE) {
                if (random.nextBoolean()) {
                    tear(image, page, old, kind, random);
                }
            }
            assertTrue(endOf(image, 0) >= image.entries.get(0).endLsn());
        }
    }

    /** Undoes the writing of a page: it is zero, or still what the recycled file had, whole or in part. */
    private static void tear(WalImage image, long page, byte[] old, int kind, Random random) {
        int index = image.index(page);
        switch (kind) {
            case 0 -> image.zero(page, page + PAGE);
            case 1 -> System.arraycopy(old, Math.max(0, index - PAGE), image.bytes, index, PAGE);
            case 2 -> System.arraycopy(old, Math.max(0, index - PAGE) + 4096, image.bytes, index + 4096, 4096);
            default -> {
                int sector = random.nextInt(PAGE / 512) * 512;
                image.zero(page + sector, page + PAGE);
            }
        }
    }

    @Test
    void aTornRecordLongerThanTheBuffersIsTheEnd() throws IOException {
        WalImage image = new WalImage(SEGMENT, START);
        WalImage.Entry first = image.add(0, 128, 0, new byte[100]);
        image.add(0, 128, 0, new byte[3 * SEGMENT]);
        image.add(0, 128, 0, new byte[100]);
        // The last batch: the end of the long record and one more; only its first page is missing.
        long page = WalLayout.pageStart(image.endLsn() - MAX_TORN + PAGE);
        image.zero(page, page + PAGE);
        assertEquals(first.endLsn(), endOf(image, 0));
    }

    @Test
    void recycledSegmentsBehindTheEndAreNotTakenForWal() throws IOException {
        WalImage image = image(new Random(2), 300_000);
        byte[] recycled = image(new Random(3), 3 * SEGMENT).bytes;
        ByteBuffer all = ByteBuffer.allocate(4 * SEGMENT);
        all.put(image.bytes, 0, SEGMENT).put(recycled, 0, 3 * SEGMENT);
        image.bytes = all.array().clone();
        assertEquals(image.endLsn(), endOf(image, 0));
    }

    @Test
    void recycledPagesBehindTheEndOfTheSegmentAreNotTakenForWal() throws IOException {
        WalImage image = image(new Random(2), 300_000);
        byte[] recycled = image(new Random(3), 2 * SEGMENT).bytes;
        int end = image.index(WalLayout.pageStart(image.endLsn()) + PAGE);
        System.arraycopy(recycled, end + 5 * PAGE, image.bytes, end, SEGMENT - end);
        assertEquals(image.endLsn(), endOf(image, 0));
    }

    @Test
    void aChangedByteInTheMidstIsDamageNamedBySegmentAndPosition() {
        for (int seed = 0; seed < 20; seed++) {
            Random random = new Random(seed);
            WalImage image = image(random, 2_500_000);
            WalImage.Entry hit = image.entries.get(random.nextInt(20, image.entries.size() / 2));
            image.bytes[image.index(hit.endLsn() - 9)]++;
            WalCorruptionException e = assertThrows(WalCorruptionException.class, () -> endOf(image, 0));
            assertEquals(hit.lsn(), e.lsn());
            assertEquals(
                    image.identity()
                            .layout()
                            .segmentName(1, image.identity().layout().segmentOf(hit.lsn())),
                    e.segment());
            assertTrue(e.getMessage().contains("valid WAL goes on at"), e.getMessage());
        }
    }

    @Test
    void aLostStretchInTheMidstIsDamage() {
        WalImage image = image(new Random(4), 2_500_000);
        image.zero(START + 20 * PAGE, START + 60 * PAGE);
        assertThrows(WalCorruptionException.class, () -> endOf(image, 0));
    }

    @Test
    void aMissingSegmentInTheMidstIsDamage() {
        WalImage image = image(new Random(5), 2_500_000);
        WalSource whole = image.source();
        WalSource withHole = new WalSource() {
            @Override
            public int read(long lsn, ByteBuffer dst) throws IOException {
                return lsn / SEGMENT == START / SEGMENT + 1 ? 0 : whole.read(lsn, dst);
            }

            @Override
            public void close() {}
        };
        WalCorruptionException e = assertThrows(WalCorruptionException.class, () -> endOf(image, withHole, 0));
        assertTrue(e.getMessage().contains("there is no WAL at"), e.getMessage());
    }

    @Test
    void damageNearTheEndIsToldFromTheEndByWhatIsKnownToHaveBeenFlushed() throws IOException {
        WalImage image = image(new Random(6), 500_000);
        WalImage.Entry hit = image.entries.get(image.entries.size() - 3);
        image.bytes[image.index(hit.endLsn() - 9)]++;
        assertEquals(hit.prevLsn(), image.entries.get(image.entries.size() - 4).lsn());
        assertDoesNotThrow(() -> endOf(image, 0));
        assertNotEquals(image.endLsn(), endOf(image, 0));
        WalCorruptionException e = assertThrows(WalCorruptionException.class, () -> endOf(image, image.endLsn()));
        assertEquals(hit.lsn(), e.lsn());
    }

    private static WalImage image(Random random, int bytes) {
        WalImage image = new WalImage(SEGMENT, START);
        while (image.endLsn() - START < bytes) {
            byte[] data = new byte[random.nextInt(20) == 0 ? random.nextInt(50_000) : random.nextInt(10, 500)];
            random.nextBytes(data);
            image.add(1, 128, 0, data);
        }
        return image;
    }

    private static long endOf(WalImage image, long knownFlushedLsn) throws IOException {
        return endOf(image, image.source(), knownFlushedLsn);
    }

    private static long endOf(WalImage image, WalSource source, long knownFlushedLsn) throws IOException {
        WalReader reader = new WalReader(source, image.identity());
        reader.seek(START, 0);
        WalRecord record = new WalRecord();
        long filesEndLsn = START + image.bytes.length;
        ReadResult result;
        do {
            result = reader.next(record, filesEndLsn);
        } while (result == ReadResult.RECORD);
        new WalEnd(source, image.identity()).check(reader, filesEndLsn, MAX_TORN, knownFlushedLsn);
        return reader.endLsn();
    }
}
