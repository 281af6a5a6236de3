package lockstep.kv.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Consumer;
import lockstep.transport.api.Lsn;
import lockstep.wal.RecordGroup;
import lockstep.wal.WalRecord;

/**
 * The WAL record of the key-value store: changes of one transaction, one after the other, little-endian.
 *
 * <pre>
 *   0      1            3              7
 *   +------+------------+--------------+-----+-------+
 *   | 1    | key length | value length | key | value |     put
 *   +------+------------+-----+--------+-----+-------+
 *   | 2    | key length | key |                            delete
 *   +------+------------+-----+
 *   0      1            3
 * </pre>
 *
 * <p>A large transaction has several records, right after each other. Its first says so in {@code info}, which tells its
 * changes from those of an unfinished transaction that a crash left in the WAL under the same id.
 */
final class ChangeRecord {
    /** The resource-manager id. */
    static final int RMGR_ID = 150;

    static final String RMGR_NAME = "kv";

    /** Info: the first changes of a transaction. */
    static final int FIRST = 0x00;

    /** Info: further changes of the transaction of the record before. */
    static final int MORE = 0x10;

    /** How much data a record gets at most; one change always fits. */
    static final int MAX_DATA_BYTES = 8 << 20;

    private static final byte PUT = 1;
    private static final byte DELETE = 2;

    private static final int KEY_LENGTH_OFFSET = Byte.BYTES;
    private static final int DELETE_HEADER_BYTES = KEY_LENGTH_OFFSET + Short.BYTES;
    private static final int PUT_HEADER_BYTES = DELETE_HEADER_BYTES + Integer.BYTES;

    private static final int MAX_SHOWN_KEY_BYTES = 64;
    private static final int MAX_SHOWN_CHARS = 240;

    private ChangeRecord() {}

    static int encodedBytes(Change change) {
        return change.isDelete()
                ? DELETE_HEADER_BYTES + change.key.length
                : PUT_HEADER_BYTES + change.key.length + change.value.length;
    }

    /** Adds the records of a transaction to a group: none if it has no changes. */
    static void encode(List<Change> changes, int xid, RecordGroup group) {
        int from = 0;
        while (from < changes.size()) {
            int to = from;
            int bytes = 0;
            do {
                bytes += encodedBytes(changes.get(to++));
            } while (to < changes.size() && bytes + encodedBytes(changes.get(to)) <= MAX_DATA_BYTES);
            ByteBuffer out = group.add(xid, RMGR_ID, from == 0 ? FIRST : MORE, bytes);
            for (Change change : changes.subList(from, to)) {
                encode(change, out);
            }
            from = to;
        }
    }

    private static void encode(Change change, ByteBuffer out) {
        out.put(change.isDelete() ? DELETE : PUT).putShort((short) change.key.length);
        if (change.isDelete()) {
            out.put(change.key);
        } else {
            out.putInt(change.value.length).put(change.key).put(change.value);
        }
    }

    /**
     * Hands out the changes in a record, in order.
     *
     * @throws IOException if the record is damaged; names its LSN. Changes before the damage have been handed out.
     */
    static void decode(WalRecord record, Consumer<Change> changes) throws IOException {
        ByteBuffer in = record.data();
        int start = in.position();
        while (in.hasRemaining()) {
            int at = in.position();
            byte kind = in.get(at);
            if (kind != PUT && kind != DELETE) {
                throw damaged(record, at - start, "kind " + kind + ", expected 1 or 2");
            }
            int headerBytes = kind == PUT ? PUT_HEADER_BYTES : DELETE_HEADER_BYTES;
            if (in.remaining() < headerBytes) {
                throw damaged(record, at - start, in.remaining() + " bytes, too few for a change");
            }
            int keyBytes = in.getShort(at + KEY_LENGTH_OFFSET) & 0xFFFF;
            int valueBytes = kind == PUT ? in.getInt(at + DELETE_HEADER_BYTES) : 0;
            in.position(at + headerBytes);
            if (valueBytes < 0 || (long) keyBytes + valueBytes > in.remaining()) {
                throw damaged(
                        record,
                        at - start,
                        "a key of " + keyBytes + " and a value of " + Integer.toUnsignedString(valueBytes)
                                + " bytes, but only " + in.remaining() + " are left");
            }
            Change change;
            try {
                byte[] key = bytes(in, keyBytes);
                change = kind == PUT ? Change.put(key, bytes(in, valueBytes)) : Change.delete(key);
            } catch (IllegalArgumentException e) {
                throw damaged(record, at - start, e.getMessage());
            }
            changes.accept(change);
        }
    }

    /** Says what a record does, in a line of bounded length; also if it is damaged. */
    static String describe(WalRecord record) {
        StringBuilder line = new StringBuilder();
        try {
            decode(record, change -> {
                if (line.length() < MAX_SHOWN_CHARS) {
                    line.append(line.length() == 0 ? "" : "; ");
                    describe(change, line);
                } else if (line.charAt(line.length() - 1) != '…') {
                    line.append("; …");
                }
            });
        } catch (IOException e) {
            line.append(line.length() == 0 ? "" : "; ").append("DAMAGED: ").append(e.getMessage());
        }
        return line.toString();
    }

    private static void describe(Change change, StringBuilder line) {
        line.append(change.isDelete() ? "DELETE \"" : "PUT \"");
        int shown = Math.min(change.key.length, MAX_SHOWN_KEY_BYTES);
        String text = new String(change.key, 0, shown, StandardCharsets.UTF_8);
        text.codePoints()
                .forEach(c -> line.appendCodePoint(Character.isISOControl(c) || c == '"' || c == '\\' ? '.' : c));
        line.append(shown < change.key.length ? "…\"" : "\"");
        if (!change.isDelete()) {
            line.append(' ').append(change.value.length).append(" bytes");
        }
    }

    private static byte[] bytes(ByteBuffer in, int length) {
        byte[] bytes = new byte[length];
        in.get(bytes);
        return bytes;
    }

    private static IOException damaged(WalRecord record, int offset, String found) {
        return new IOException("the kv record at LSN " + Lsn.text(record.lsn()) + " is damaged at offset " + offset
                + " of its data: found " + found);
    }
}
