package lockstep.receiver;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.zip.CRC32C;
import lockstep.io.Disk;
import lockstep.receiver.api.MissingRange;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message.DegradedRange;

/**
 * What the primary said last of WAL whose commits it acknowledged alone, kept in the file {@value #PATH}. It is on the disk
 * before what the primary sends after it is taken in, so that it is known when the standby is to be promoted. Thread-safe.
 *
 * <pre>
 *   0              8              16             20
 *   +--------------+--------------+--------------+-----------------+
 *   | start        | end          | CRC-32C      | reason, UTF-8   |   big-endian
 *   +--------------+--------------+--------------+-----------------+
 * </pre>
 */
final class MissingWal {
    static final String PATH = "missing_wal";

    private static final int END_OFFSET = Long.BYTES;
    private static final int CRC_OFFSET = END_OFFSET + Long.BYTES;
    private static final int REASON_OFFSET = CRC_OFFSET + Integer.BYTES;

    private final Disk disk;
    private volatile MissingRange range;

    /** Reads the file, if there is one. */
    MissingWal(Disk disk) throws IOException {
        this.disk = disk;
        if (disk.exists(PATH)) {
            range = decode(disk.readAll(PATH));
        }
    }

    private static MissingRange decode(byte[] file) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(file);
        if (file.length < REASON_OFFSET || bytes.getInt(CRC_OFFSET) != crc(bytes)) {
            throw new IOException(
                    "the file " + PATH + " is damaged: its CRC does not fit its content. Remove it if it is"
                            + " certain that this standby has all commits that were acknowledged");
        }
        return new MissingRange(
                bytes.getLong(0),
                bytes.getLong(END_OFFSET),
                new String(file, REASON_OFFSET, file.length - REASON_OFFSET, StandardCharsets.UTF_8));
    }

    private static int crc(ByteBuffer bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes.duplicate().clear().limit(CRC_OFFSET));
        crc.update(bytes.duplicate().clear().position(REASON_OFFSET));
        return (int) crc.getValue();
    }

    /** Takes what the primary says in place of what it said before. */
    synchronized void told(DegradedRange said) throws IOException {
        if (said.startLsn() == Lsn.INVALID) {
            disk.delete(PATH);
            range = null;
            return;
        }
        byte[] reason = said.reason().getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes = ByteBuffer.allocate(REASON_OFFSET + reason.length);
        bytes.putLong(0, said.startLsn()).putLong(END_OFFSET, said.endLsn()).put(REASON_OFFSET, reason);
        bytes.putInt(CRC_OFFSET, crc(bytes));
        disk.writeAtomically(PATH, bytes);
        range = new MissingRange(said.startLsn(), said.endLsn(), said.reason());
    }

    /** Returns what the primary said last, for those who ask this server; whether it is missing there they judge. */
    DegradedRange said() {
        MissingRange now = range;
        return now == null ? DegradedRange.NONE : new DegradedRange(now.startLsn(), now.endLsn(), now.reason());
    }

    /**
     * Returns what is missing from WAL that ends at a position.
     *
     * @param endLsn the end of the WAL that is checked and on the disk
     */
    Optional<MissingRange> missing(long endLsn) {
        return Optional.ofNullable(range).filter(told -> told.endLsn() == 0 || told.endLsn() > endLsn);
    }
}
