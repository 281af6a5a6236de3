package lockstep.transport.postgres.protocol;

import io.netty.buffer.ByteBuf;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.postgres.protocol.CopyMessage.CopyData;

/**
 * What is inside {@link CopyData} while WAL is streamed. Positions are LSNs; times are microseconds since 2000-01-01 00:00 UTC,
 * as in Lockstep's own messages.
 */
public sealed interface ReplicationMessage {
    /** Writes the message as {@link CopyData}, its header included. */
    void encode(ByteBuf out);

    /**
     * A piece of WAL, from the server.
     *
     * @param endLsn how far the server has WAL: of an old timeline, where that ended
     * @param wal valid as long as the {@link CopyData} it came in
     */
    record WalPiece(long startLsn, long endLsn, long sentAtMicros, ByteBuf wal) implements ReplicationMessage {
        /** What stands before the WAL in a message, the header included. */
        public static final int OVERHEAD_BYTES = Wire.HEADER_BYTES + Byte.BYTES + 3 * Long.BYTES;

        private static final char CODE = 'w';

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, CopyData.TYPE, body -> {
                body.writeByte(CODE).writeLong(startLsn).writeLong(endLsn).writeLong(sentAtMicros);
                body.writeBytes(wal, wal.readerIndex(), wal.readableBytes());
            });
        }
    }

    /** Says that the server lives, and how far it is. */
    record ServerKeepalive(long endLsn, long sentAtMicros, boolean replyRequested) implements ReplicationMessage {
        private static final char CODE = 'k';

        @Override
        public void encode(ByteBuf out) {
            Wire.message(
                    out,
                    CopyData.TYPE,
                    body -> body.writeByte(CODE)
                            .writeLong(endLsn)
                            .writeLong(sentAtMicros)
                            .writeBoolean(replyRequested));
        }
    }

    /** How far a standby has written, flushed and applied; 0 for what it does not tell. */
    record StatusUpdate(long writtenLsn, long flushedLsn, long appliedLsn, long sentAtMicros, boolean replyRequested)
            implements ReplicationMessage {
        private static final char CODE = 'r';

        @Override
        public void encode(ByteBuf out) {
            Wire.message(
                    out,
                    CopyData.TYPE,
                    body -> body.writeByte(CODE)
                            .writeLong(writtenLsn)
                            .writeLong(flushedLsn)
                            .writeLong(appliedLsn)
                            .writeLong(sentAtMicros)
                            .writeBoolean(replyRequested));
        }
    }

    /** The oldest transactions that a standby's queries still look at. */
    record HotStandbyFeedback(long sentAtMicros, int xmin, int xminEpoch, int catalogXmin, int catalogXminEpoch)
            implements ReplicationMessage {
        private static final char CODE = 'h';

        @Override
        public void encode(ByteBuf out) {
            Wire.message(
                    out,
                    CopyData.TYPE,
                    body -> body.writeByte(CODE)
                            .writeLong(sentAtMicros)
                            .writeInt(xmin)
                            .writeInt(xminEpoch)
                            .writeInt(catalogXmin)
                            .writeInt(catalogXminEpoch));
        }
    }

    /** Reads the content of {@link CopyData}. */
    static ReplicationMessage decode(ByteBuf in) throws MalformedMessageException {
        byte code = Wire.need(in, Byte.BYTES, "CopyData").readByte();
        return switch (code) {
            case WalPiece.CODE -> {
                Wire.need(in, 3 * Long.BYTES, "a piece of WAL");
                yield new WalPiece(in.readLong(), in.readLong(), in.readLong(), in);
            }
            case ServerKeepalive.CODE -> {
                Wire.need(in, 2 * Long.BYTES + Byte.BYTES, "a keepalive");
                yield Wire.whole(in, new ServerKeepalive(in.readLong(), in.readLong(), in.readBoolean()));
            }
            case StatusUpdate.CODE -> {
                Wire.need(in, 4 * Long.BYTES + Byte.BYTES, "a standby's status");
                yield Wire.whole(
                        in,
                        new StatusUpdate(in.readLong(), in.readLong(), in.readLong(), in.readLong(), in.readBoolean()));
            }
            case HotStandbyFeedback.CODE -> {
                Wire.need(in, Long.BYTES + 4 * Integer.BYTES, "a hot standby's feedback");
                yield Wire.whole(
                        in,
                        new HotStandbyFeedback(in.readLong(), in.readInt(), in.readInt(), in.readInt(), in.readInt()));
            }
            default ->
                throw new MalformedMessageException(
                        "expected a replication message (w, k, r or h), found " + Wire.show(code));
        };
    }
}
