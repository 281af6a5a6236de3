package lockstep.transport.postgres.protocol;

import io.netty.buffer.ByteBuf;
import lockstep.transport.api.MalformedMessageException;

/**
 * A message as it is on the wire.
 *
 * @param body what follows the length; valid as long as the buffer that it is cut from
 */
record Packet(byte type, ByteBuf body) {
    /**
     * Cuts the next one off what has come. A length is believed only below a bound, before any room is made for what it promises.
     *
     * @param maxBodyBytes the longest body that is believed
     * @return null if it is not there whole; nothing has been taken then
     */
    static Packet cut(ByteBuf in, int maxBodyBytes) throws MalformedMessageException {
        if (in.readableBytes() < Wire.HEADER_BYTES) {
            return null;
        }
        byte type = in.getByte(in.readerIndex());
        int length = in.getInt(in.readerIndex() + Byte.BYTES);
        if (length < Integer.BYTES || length - Integer.BYTES > maxBodyBytes) {
            throw new MalformedMessageException("message " + Wire.show(type) + " has a length of "
                    + Integer.toUnsignedString(length) + ": expected from " + Integer.BYTES + " to "
                    + (maxBodyBytes + Integer.BYTES));
        }
        if (in.readableBytes() < Byte.BYTES + length) {
            return null;
        }
        in.skipBytes(Wire.HEADER_BYTES);
        return new Packet(type, in.readSlice(length - Integer.BYTES));
    }
}
