package lockstep.transport.postgres.protocol;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.postgres.protocol.CopyMessage.CopyData;
import lockstep.transport.postgres.protocol.CopyMessage.CopyDone;

/** What a client says. */
public sealed interface FrontendMessage
        permits CopyMessage,
                FrontendMessage.AuthenticationResponse,
                FrontendMessage.CopyFail,
                FrontendMessage.Query,
                FrontendMessage.Terminate,
                FrontendMessage.Unsupported {
    /** Writes the message, its header included. */
    void encode(ByteBuf out);

    /** A command. */
    record Query(String text) implements FrontendMessage {
        private static final char TYPE = 'Q';

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, TYPE, body -> Wire.text(body, text));
        }
    }

    /**
     * An answer to what authentication asks. Its form depends on the question, which the message does not repeat.
     *
     * @param body the bytes, one character for each
     */
    record AuthenticationResponse(String body) implements FrontendMessage {
        private static final char TYPE = 'p';

        /** A password, in clear or as a hash. */
        public static AuthenticationResponse password(String password) {
            return new AuthenticationResponse(bytes(password) + '\0');
        }

        /** The name of the mechanism that the client has chosen, and its first message. */
        public static AuthenticationResponse saslInitial(String mechanism, String data) {
            int length = bytes(data).length();
            StringBuilder body = new StringBuilder(bytes(mechanism)).append('\0');
            for (int shift = 24; shift >= 0; shift -= Byte.SIZE) {
                body.append((char) (length >>> shift & 0xFF));
            }
            return new AuthenticationResponse(body + bytes(data));
        }

        /** A later message of the mechanism. */
        public static AuthenticationResponse sasl(String data) {
            return new AuthenticationResponse(bytes(data));
        }

        private static String bytes(String text) {
            return new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
        }

        private static String text(String bytes) {
            return new String(bytes.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
        }

        /** Reads a password. */
        public String password() throws MalformedMessageException {
            int end = body.indexOf(0);
            if (end != body.length() - 1) {
                throw new MalformedMessageException("expected a password and a zero byte after it");
            }
            return text(body.substring(0, end));
        }

        /**
         * The first answer of SASL.
         *
         * @param data empty if the client sent none
         */
        public record SaslInitial(String mechanism, String data) {}

        /** Reads a first answer. */
        public SaslInitial saslInitial() throws MalformedMessageException {
            int end = body.indexOf(0);
            int start = end + 1 + Integer.BYTES;
            if (end < 0 || body.length() < start) {
                throw new MalformedMessageException("expected the name of a SASL mechanism, a length and data");
            }
            int length = 0;
            for (int i = end + 1; i < start; i++) {
                length = length << Byte.SIZE | body.charAt(i);
            }
            if (Math.max(0, length) != body.length() - start) { // -1: no data
                throw new MalformedMessageException(
                        "expected " + length + " bytes of SASL data, found " + (body.length() - start));
            }
            return new SaslInitial(text(body.substring(0, end)), text(body.substring(start)));
        }

        /** Reads a later answer. */
        public String sasl() {
            return text(body);
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, TYPE, to -> to.writeCharSequence(body, StandardCharsets.ISO_8859_1));
        }

        /** Tells nothing: it may be a password. */
        @Override
        public String toString() {
            return "AuthenticationResponse";
        }
    }

    /** The client cannot go on with a copy. */
    record CopyFail(String why) implements FrontendMessage {
        private static final char TYPE = 'f';

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, TYPE, body -> Wire.text(body, why));
        }
    }

    /** The client leaves. */
    record Terminate() implements FrontendMessage {
        private static final char TYPE = 'X';

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, TYPE, body -> {});
        }
    }

    /** A message of a kind that has no use in replication, such as a part of the extended query protocol. */
    record Unsupported(byte type) implements FrontendMessage {
        /** Returns whether clients wait for an answer to this one only: a Sync. */
        public boolean isSync() {
            return type == 'S';
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, (char) type, body -> {});
        }
    }

    /** Reads what follows the length. */
    static FrontendMessage decode(byte type, ByteBuf in) throws MalformedMessageException {
        return switch (type) {
            case Query.TYPE -> Wire.whole(in, new Query(Wire.text(in)));
            case AuthenticationResponse.TYPE ->
                new AuthenticationResponse(in.readString(in.readableBytes(), StandardCharsets.ISO_8859_1));
            case CopyData.TYPE -> new CopyData(in.readRetainedSlice(in.readableBytes()));
            case CopyDone.TYPE -> Wire.whole(in, new CopyDone());
            case CopyFail.TYPE -> Wire.whole(in, new CopyFail(Wire.text(in)));
            case Terminate.TYPE -> Wire.whole(in, new Terminate());
            default -> {
                in.skipBytes(in.readableBytes());
                yield new Unsupported(type);
            }
        };
    }
}
