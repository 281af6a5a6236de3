package lockstep.wal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** Reads the records of a group as if from a WAL without pages. */
public final class Records {
    private Records() {}

    /** Copies the records, the first beginning at {@code startLsn}. */
    public static List<WalRecord> of(RecordGroup group, long startLsn) {
        ByteBuffer all = ByteBuffer.allocate(group.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        all.put(group.buffer().duplicate().flip()).flip();
        List<WalRecord> records = new ArrayList<>();
        int at = 0;
        while (at < all.limit()) {
            int length = all.getInt(at + RecordHeader.LENGTH_OFFSET);
            int end = (int) (at + WalLayout.align(length));
            WalRecord record = new WalRecord();
            record.show(all.slice(at, length).order(ByteOrder.LITTLE_ENDIAN), startLsn + at, startLsn + end);
            records.add(record);
            at = end;
        }
        return records;
    }

    /** Makes a record of the given data. */
    public static WalRecord of(int xid, int rmgr, int info, byte[] data, long startLsn) {
        RecordGroup group = new RecordGroup();
        group.add(xid, rmgr, info, data.length).put(data);
        return of(group, startLsn).get(0);
    }
}
