package lockstep.wal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * WAL laid out byte by byte, straight from the description of PostgreSQL's format and with nothing of the product's own
 * code, so that the two can be held against each other and both against {@code pg_waldump}.
 */
final class WalImage {
    static final long SYSTEM_ID = 7000000000000000001L;
    private static final int PAGE = 8192;

    /** A record as it was put in. */
    record Entry(long lsn, long endLsn, long prevLsn, int rmgr, int info, int xid, ByteBuffer data) {
        boolean sameAs(WalRecord record) {
            return record.lsn() == lsn
                    && record.endLsn() == endLsn
                    && record.prevLsn() == prevLsn
                    && record.rmgr() == rmgr
                    && record.info() == info
                    && record.xid() == xid
                    && record.data().equals(data);
        }
    }

    final int segmentBytes;
    final long startLsn;
    final List<Entry> entries = new ArrayList<>();
    byte[] bytes;
    int timeline = 1;
    private long at;
    private long prev;

    WalImage(int segmentBytes, long startLsn) {
        this.segmentBytes = segmentBytes;
        this.startLsn = startLsn;
        this.at = startLsn;
        bytes = new byte[segmentBytes];
    }

    WalIdentity identity() {
        return new WalIdentity(SYSTEM_ID, TimelineHistory.of(timeline), new WalLayout(segmentBytes));
    }

    long endLsn() {
        return at;
    }

    long prevLsn() {
        return prev;
    }

    Entry add(int xid, int rmgr, int info, byte[] data) {
        if (at % PAGE == 0) {
            pageHeader(0);
        }
        byte[] record = record(xid, rmgr, info, data, prev);
        long lsn = at;
        for (int i = 0; i < record.length; i++) {
            if (at % PAGE == 0) {
                pageHeader(record.length - i);
            }
            put(record[i]);
        }
        while (at % 8 != 0) {
            put((byte) 0);
        }
        if (rmgr == 0 && info == 0x40) {
            while (at % segmentBytes != 0) {
                put((byte) 0);
            }
        }
        Entry entry = new Entry(lsn, at, prev, rmgr, info, xid, ByteBuffer.wrap(data));
        prev = lsn;
        entries.add(entry);
        return entry;
    }

    /** Adds a record whose last byte, padding included, is the last before a multiple of {@code boundary}. */
    Entry addUpTo(int boundary, int rmgr) {
        long start = at % PAGE != 0 ? at : at + headerBytes(at);
        long end = (start / boundary + 1) * boundary;
        long room = 0;
        for (long from = start; from < end; from = (from / PAGE + 1) * PAGE + headerBytes((from / PAGE + 1) * PAGE)) {
            room += Math.min(end, (from / PAGE + 1) * PAGE) - from;
        }
        int body = (int) room - 24;
        if (body < 0) {
            add(0, rmgr, 0, new byte[0]);
            return addUpTo(boundary, rmgr);
        }
        int data = body <= 2 + 255 ? Math.max(0, body - 2) : body - 5;
        return add(0, rmgr, 0, new byte[data]);
    }

    private static byte[] record(int xid, int rmgr, int info, byte[] data, long prev) {
        int dataHeader = data.length == 0 ? 0 : data.length <= 255 ? 2 : 5;
        byte[] record = new byte[24 + dataHeader + data.length];
        ByteBuffer out = little(record);
        out.putInt(record.length).putInt(xid).putLong(prev);
        out.put((byte) info).put((byte) rmgr).putShort((short) 0).putInt(0);
        if (dataHeader == 2) {
            out.put((byte) 0xFF).put((byte) data.length);
        } else if (dataHeader == 5) {
            out.put((byte) 0xFE).putInt(data.length);
        }
        out.put(data);
        out.putInt(20, crc(record));
        return record;
    }

    private static int crc(byte[] record) {
        CRC32C crc = new CRC32C();
        crc.update(record, 24, record.length - 24);
        crc.update(record, 0, 20);
        return (int) crc.getValue();
    }

    private int headerBytes(long pageLsn) {
        return pageLsn % segmentBytes == 0 ? 40 : 24;
    }

    private void pageHeader(int remaining) {
        boolean first = at % segmentBytes == 0;
        byte[] bytesOfHeader = new byte[first ? 40 : 24];
        ByteBuffer header = little(bytesOfHeader);
        header.putShort((short) 0xD110).putShort((short) ((remaining > 0 ? 1 : 0) | (first ? 2 : 0)));
        header.putInt(timeline).putLong(at).putInt(remaining).putInt(0);
        if (first) {
            header.putLong(SYSTEM_ID).putInt(segmentBytes).putInt(PAGE);
        }
        for (byte b : bytesOfHeader) {
            put(b);
        }
    }

    private static ByteBuffer little(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private void put(byte b) {
        int index = (int) (at - startLsn);
        if (index >= bytes.length) {
            bytes = Arrays.copyOf(
                    bytes, bytes.length + Math.max(segmentBytes, bytes.length / segmentBytes / 2 * segmentBytes));
        }
        bytes[index] = b;
        at++;
    }

    /** Returns the image, to read and damage at {@code lsn - startLsn}. */
    ByteBuffer buffer() {
        return little(bytes);
    }

    int index(long lsn) {
        return (int) (lsn - startLsn);
    }

    /** Makes the CRC of a record on one page fit what it now says. */
    void sealAgain(Entry entry) {
        int from = index(entry.lsn);
        byte[] record = Arrays.copyOfRange(bytes, from, from + buffer().getInt(from));
        buffer().putInt(from + 20, crc(record));
    }

    void zero(long from, long to) {
        Arrays.fill(bytes, index(from), index(to), (byte) 0);
    }

    /** Returns the image as a source, of which bytes before {@code available} are there. */
    WalSource source(long available) {
        return new WalSource() {
            @Override
            public int read(long lsn, ByteBuffer dst) {
                long end = Math.min(available, startLsn + bytes.length);
                if (lsn < startLsn || lsn >= end) {
                    return 0;
                }
                int count = (int) Math.min(dst.remaining(), end - lsn);
                dst.put(bytes, index(lsn), count);
                return count;
            }

            @Override
            public void close() {}
        };
    }

    WalSource source() {
        return source(Long.MAX_VALUE);
    }

    /** Writes the segments as files. */
    void write(Path directory) throws IOException {
        Files.createDirectories(directory);
        for (int from = 0; from < index(at); from += segmentBytes) {
            long segment = (startLsn + from) / segmentBytes;
            long perId = 0x1_0000_0000L / segmentBytes;
            String name = String.format("%08X%08X%08X", timeline, segment / perId, segment % perId);
            Files.write(directory.resolve(name), Arrays.copyOfRange(bytes, from, from + segmentBytes));
        }
    }
}
