package lockstep.kv.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import lockstep.kv.KeyValueStore;
import lockstep.wal.RecordGroup;
import lockstep.wal.Records;
import lockstep.wal.WalRecord;
import org.junit.jupiter.api.Test;

class ChangeRecordTest {
    private static List<WalRecord> encode(List<Change> changes) {
        RecordGroup group = new RecordGroup();
        ChangeRecord.encode(changes, 7, group);
        return Records.of(group, 0x1000);
    }

    private static List<Change> decode(List<WalRecord> records) throws IOException {
        List<Change> changes = new ArrayList<>();
        for (WalRecord record : records) {
            ChangeRecord.decode(record, changes::add);
        }
        return changes;
    }

    @Test
    void changesComeBackAsTheyWere() throws IOException {
        List<Change> changes = List.of(
                Change.put(Stores.bytes("a"), new byte[0]),
                Change.delete(new byte[KeyValueStore.MAX_KEY_BYTES]),
                Change.put(new byte[] {0, -1}, new byte[70_000]));
        List<WalRecord> records = encode(changes);
        assertEquals(1, records.size());
        assertEquals(ChangeRecord.RMGR_ID, records.get(0).rmgr());
        assertEquals(7, records.get(0).xid());
        List<Change> decoded = decode(records);
        assertEquals(3, decoded.size());
        for (int i = 0; i < 3; i++) {
            assertArrayEquals(changes.get(i).key, decoded.get(i).key);
            assertArrayEquals(changes.get(i).value, decoded.get(i).value);
        }
    }

    @Test
    void aLargeTransactionHasSeveralRecordsOfWhichTheFirstSaysSo() throws IOException {
        List<Change> changes = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            changes.add(Change.put(new byte[] {(byte) i}, new byte[KeyValueStore.MAX_VALUE_BYTES]));
        }
        List<WalRecord> records = encode(changes);
        assertEquals(5, records.size());
        assertEquals(ChangeRecord.FIRST, records.get(0).info());
        for (WalRecord record : records.subList(1, 5)) {
            assertEquals(ChangeRecord.MORE, record.info());
            assertTrue(record.totalBytes() < ChangeRecord.MAX_DATA_BYTES + 100);
        }
        assertEquals(5, decode(records).size());
    }

    @Test
    void aCutRecordIsRefusedAtEveryLength() {
        WalRecord whole = encode(List.of(Change.put(Stores.bytes("key"), Stores.bytes("value"))))
                .get(0);
        byte[] data = new byte[whole.data().remaining()];
        whole.data().get(data);
        for (int length = 1; length < data.length; length++) {
            WalRecord cut = Records.of(7, ChangeRecord.RMGR_ID, 0, Arrays.copyOf(data, length), 0x1_0000_2000L);
            IOException refused = assertThrows(IOException.class, () -> ChangeRecord.decode(cut, change -> {}));
            assertTrue(refused.getMessage().contains("LSN 1/2000"), refused.getMessage());
        }
    }

    @Test
    void lengthsBeyondTheRecordOrTheBoundsAreRefused() {
        byte[][] damaged = {
            {3, 1, 0, 'k'}, // no such kind
            {2, 0, 0}, // an empty key
            {2, 2, 0, 'k'}, // a key longer than the record
            {1, 1, 0, -1, -1, -1, -1, 'k'}, // a negative length
            {1, 1, 0, -1, -1, -1, 127, 'k', 'v'}, // a length that overflows with the other
        };
        for (byte[] data : damaged) {
            WalRecord record = Records.of(7, ChangeRecord.RMGR_ID, 0, data, 0x1000);
            assertThrows(IOException.class, () -> ChangeRecord.decode(record, change -> {}), Arrays.toString(data));
            assertTrue(ChangeRecord.describe(record).contains("DAMAGED"), Arrays.toString(data));
        }
        byte[] longKey = new byte[3 + KeyValueStore.MAX_KEY_BYTES + 1];
        longKey[0] = 2;
        longKey[1] = 1;
        longKey[2] = 4;
        WalRecord record = Records.of(7, ChangeRecord.RMGR_ID, 0, longKey, 0x1000);
        assertThrows(IOException.class, () -> ChangeRecord.decode(record, change -> {}));
    }

    @Test
    void noBytesMakeDecodingFailInAnotherWay() {
        Random random = new Random(42);
        for (int i = 0; i < 20_000; i++) {
            byte[] data = new byte[1 + random.nextInt(40)];
            random.nextBytes(data);
            data[0] = (byte) (1 + random.nextInt(2));
            WalRecord record = Records.of(7, ChangeRecord.RMGR_ID, 0, data, 0x1000);
            assertDoesNotThrow(() -> ChangeRecord.describe(record));
        }
    }

    @Test
    void aDescriptionNamesKeysAndIsOfBoundedLength() {
        List<Change> changes =
                List.of(Change.put(Stores.bytes("key"), new byte[100]), Change.delete(Stores.bytes("k2")));
        assertEquals(
                "PUT \"key\" 100 bytes; DELETE \"k2\"",
                ChangeRecord.describe(encode(changes).get(0)));
        List<Change> many = new ArrayList<>();
        for (int i = 0; i < 10_000; i++) {
            many.add(Change.delete(Stores.bytes("x\n\"".repeat(300))));
        }
        String line = ChangeRecord.describe(encode(many).get(0));
        assertTrue(line.length() < 500 && line.endsWith("; …") && line.indexOf('\n') < 0, line);
    }

    @Test
    void keysAndValuesOutsideTheBoundsAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> Change.delete(new byte[0]));
        assertThrows(IllegalArgumentException.class, () -> Change.put(new byte[0], new byte[0]));
        assertThrows(IllegalArgumentException.class, () -> Change.delete(new byte[KeyValueStore.MAX_KEY_BYTES + 1]));
        assertThrows(
                IllegalArgumentException.class,
                () -> Change.put(new byte[1], new byte[KeyValueStore.MAX_VALUE_BYTES + 1]));
    }
}
