package lockstep.transport.postgres.protocol;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import java.util.List;
import lockstep.transport.api.MalformedMessageException;

/** Reads what a server says: {@link BackendMessage}s. */
public final class BackendDecoder extends PacketDecoder {
    private boolean encryptionAnswer;

    /** @param maxBodyBytes the longest body of a message that is believed */
    public BackendDecoder(int maxBodyBytes) {
        super(maxBodyBytes);
    }

    /** The next byte is a {@link BackendMessage.EncryptionAnswer}, which has been asked for. */
    public void expectEncryptionAnswer() {
        encryptionAnswer = true;
    }

    @Override
    protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) throws MalformedMessageException {
        if (encryptionAnswer) {
            encryptionAnswer = false;
            out.add(BackendMessage.EncryptionAnswer.decode(in.readByte()));
        } else {
            message(in, out);
        }
    }

    @Override
    BackendMessage decode(byte type, ByteBuf body) throws MalformedMessageException {
        return BackendMessage.decode(type, body);
    }
}
