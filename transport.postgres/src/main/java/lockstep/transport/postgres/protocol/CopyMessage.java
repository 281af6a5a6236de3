package lockstep.transport.postgres.protocol;

import io.netty.buffer.ByteBuf;

/** What both sides say while a copy goes on. */
public sealed interface CopyMessage extends FrontendMessage, BackendMessage {
    /**
     * A piece of what is copied: for replication, a {@link ReplicationMessage}.
     *
     * @param content whoever gets it of a client releases it
     */
    record CopyData(ByteBuf content) implements CopyMessage {
        static final char TYPE = 'd';

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, TYPE, body -> body.writeBytes(content, content.readerIndex(), content.readableBytes()));
        }
    }

    /** This side has no more to copy. */
    record CopyDone() implements CopyMessage {
        static final char TYPE = 'c';

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, TYPE, body -> {});
        }
    }
}
