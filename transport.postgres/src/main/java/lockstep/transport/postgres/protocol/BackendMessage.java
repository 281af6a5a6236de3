package lockstep.transport.postgres.protocol;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.postgres.protocol.CopyMessage.CopyData;
import lockstep.transport.postgres.protocol.CopyMessage.CopyDone;

/** What a server says. */
public sealed interface BackendMessage
        permits CopyMessage,
                BackendMessage.Authentication,
                BackendMessage.BackendKeyData,
                BackendMessage.CommandComplete,
                BackendMessage.CopyBothResponse,
                BackendMessage.DataRow,
                BackendMessage.EncryptionAnswer,
                BackendMessage.ErrorResponse,
                BackendMessage.NegotiateProtocolVersion,
                BackendMessage.NoticeResponse,
                BackendMessage.ParameterStatus,
                BackendMessage.ReadyForQuery,
                BackendMessage.RowDescription,
                BackendMessage.Unsupported {
    /** Writes the message, its header included. */
    void encode(ByteBuf out);

    /** The answer to {@link StartupPacket.SslRequest} or {@link StartupPacket.GssEncryptionRequest}: one bare byte. */
    enum EncryptionAnswer implements BackendMessage {
        /** The client begins to encrypt. */
        YES('S'),
        /** The connection goes on in clear. */
        NO('N');

        private final char code;

        EncryptionAnswer(char code) {
            this.code = code;
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeByte(code);
        }

        /** Reads it. */
        public static EncryptionAnswer decode(byte code) throws MalformedMessageException {
            return switch (code) {
                case 'S', 'G' -> YES;
                case 'N' -> NO;
                default ->
                    throw new MalformedMessageException("expected a PostgreSQL server to answer S or N, found byte 0x"
                            + Integer.toHexString(code & 0xFF));
            };
        }
    }

    /** What authentication asks, or that it is over. */
    sealed interface Authentication extends BackendMessage {}

    /** The client is let in. */
    record AuthenticationOk() implements Authentication {
        private static final int CODE = 0;

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, AUTHENTICATION, body -> body.writeInt(CODE));
        }
    }

    /** Asks for the password in clear. */
    record AuthenticationCleartextPassword() implements Authentication {
        private static final int CODE = 3;

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, AUTHENTICATION, body -> body.writeInt(CODE));
        }
    }

    /** Asks for the password's MD5 hash with this salt. */
    record AuthenticationMd5Password(int salt) implements Authentication {
        private static final int CODE = 5;

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, AUTHENTICATION, body -> body.writeInt(CODE).writeInt(salt));
        }
    }

    /** Offers SASL mechanisms, the preferred one first. */
    record AuthenticationSasl(List<String> mechanisms) implements Authentication {
        private static final int CODE = 10;

        /** Copies the list. */
        public AuthenticationSasl {
            mechanisms = List.copyOf(mechanisms);
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, AUTHENTICATION, body -> {
                body.writeInt(CODE);
                mechanisms.forEach(mechanism -> Wire.text(body, mechanism));
                body.writeByte(0);
            });
        }

        private static AuthenticationSasl decode(ByteBuf in) throws MalformedMessageException {
            List<String> mechanisms = new ArrayList<>();
            for (String name = Wire.text(in); !name.isEmpty(); name = Wire.text(in)) {
                mechanisms.add(name);
            }
            return new AuthenticationSasl(mechanisms);
        }
    }

    /** A message of the SASL mechanism. */
    record AuthenticationSaslContinue(String data) implements Authentication {
        private static final int CODE = 11;

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, AUTHENTICATION, body -> {
                body.writeInt(CODE);
                body.writeCharSequence(data, StandardCharsets.UTF_8);
            });
        }
    }

    /** The last message of the SASL mechanism. */
    record AuthenticationSaslFinal(String data) implements Authentication {
        private static final int CODE = 12;

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, AUTHENTICATION, body -> {
                body.writeInt(CODE);
                body.writeCharSequence(data, StandardCharsets.UTF_8);
            });
        }
    }

    /** Asks for something that is not known here, such as GSSAPI. */
    record AuthenticationUnsupported(int code) implements Authentication {
        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, AUTHENTICATION, body -> body.writeInt(code));
        }
    }

    /** The type of all of {@link Authentication}. */
    char AUTHENTICATION = 'R';

    private static Authentication authentication(ByteBuf in) throws MalformedMessageException {
        int code = Wire.need(in, Integer.BYTES, "Authentication").readInt();
        return switch (code) {
            case AuthenticationOk.CODE -> Wire.whole(in, new AuthenticationOk());
            case AuthenticationCleartextPassword.CODE -> Wire.whole(in, new AuthenticationCleartextPassword());
            case AuthenticationMd5Password.CODE ->
                Wire.whole(
                        in,
                        new AuthenticationMd5Password(Wire.need(in, Integer.BYTES, "AuthenticationMd5Password")
                                .readInt()));
            case AuthenticationSasl.CODE -> Wire.whole(in, AuthenticationSasl.decode(in));
            case AuthenticationSaslContinue.CODE ->
                new AuthenticationSaslContinue(in.readString(in.readableBytes(), StandardCharsets.UTF_8));
            case AuthenticationSaslFinal.CODE ->
                new AuthenticationSaslFinal(in.readString(in.readableBytes(), StandardCharsets.UTF_8));
            default -> {
                in.skipBytes(in.readableBytes());
                yield new AuthenticationUnsupported(code);
            }
        };
    }

    /** Tells a setting of the session. */
    record ParameterStatus(String name, String value) implements BackendMessage {
        private static final char TYPE = 'S';

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, TYPE, body -> {
                Wire.text(body, name);
                Wire.text(body, value);
            });
        }
    }

    /** What a {@link StartupPacket.CancelRequest} would have to say. */
    record BackendKeyData(int processId, int secretKey) implements BackendMessage {
        private static final char TYPE = 'K';

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, TYPE, body -> body.writeInt(processId).writeInt(secretKey));
        }

        private static BackendKeyData decode(ByteBuf in) throws MalformedMessageException {
            Wire.need(in, 2 * Integer.BYTES, "BackendKeyData");
            BackendKeyData data = new BackendKeyData(in.readInt(), in.readInt());
            in.skipBytes(in.readableBytes()); // the key has become longer with protocol 3.2
            return data;
        }
    }

    /** The server speaks another minor version than was asked for, and does not know those parameters. */
    record NegotiateProtocolVersion(int minorVersion, List<String> unknownParameters) implements BackendMessage {
        private static final char TYPE = 'v';

        /** Copies the list. */
        public NegotiateProtocolVersion {
            unknownParameters = List.copyOf(unknownParameters);
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, TYPE, body -> {
                body.writeInt(minorVersion).writeInt(unknownParameters.size());
                unknownParameters.forEach(name -> Wire.text(body, name));
            });
        }

        private static NegotiateProtocolVersion decode(ByteBuf in) throws MalformedMessageException {
            Wire.need(in, 2 * Integer.BYTES, "NegotiateProtocolVersion");
            int version = in.readInt();
            int count = in.readInt();
            List<String> unknown = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                unknown.add(Wire.text(in));
            }
            return new NegotiateProtocolVersion(version, unknown);
        }
    }

    /** The server takes the next command. */
    record ReadyForQuery() implements BackendMessage {
        private static final char TYPE = 'Z';
        private static final char IDLE = 'I';

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, TYPE, body -> body.writeByte(IDLE));
        }
    }

    /** The columns of the rows that follow. */
    record RowDescription(List<Column> columns) implements BackendMessage {
        private static final char TYPE = 'T';
        private static final int FIXED_BYTES = 3 * Integer.BYTES + 3 * Short.BYTES;

        /** Copies the list. */
        public RowDescription {
            columns = List.copyOf(columns);
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, TYPE, body -> {
                body.writeShort(columns.size());
                for (Column column : columns) {
                    Wire.text(body, column.name());
                    body.writeInt(0) // no table
                            .writeShort(0)
                            .writeInt(column.typeOid())
                            .writeShort(column.typeBytes())
                            .writeInt(-1) // no modifier
                            .writeShort(0); // as text
                }
            });
        }

        private static RowDescription decode(ByteBuf in) throws MalformedMessageException {
            int count = Wire.need(in, Short.BYTES, "RowDescription").readUnsignedShort();
            List<Column> columns = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                String name = Wire.text(in);
                Wire.need(in, FIXED_BYTES, "RowDescription").skipBytes(Integer.BYTES + Short.BYTES);
                columns.add(new Column(name, in.readInt(), in.readShort()));
                in.skipBytes(Integer.BYTES + Short.BYTES);
            }
            return new RowDescription(columns);
        }
    }

    /**
     * A column of a result; its values are texts.
     *
     * @param typeOid PostgreSQL's number for the type
     * @param typeBytes its size; -1 if that varies
     */
    record Column(String name, int typeOid, short typeBytes) {
        /** A column of texts. */
        public static Column text(String name) {
            return new Column(name, 25, (short) -1);
        }

        /** A column of integers of 4 bytes. */
        public static Column int4(String name) {
            return new Column(name, 23, (short) Integer.BYTES);
        }

        /** A column of integers of 8 bytes. */
        public static Column int8(String name) {
            return new Column(name, 20, (short) Long.BYTES);
        }
    }

    /**
     * A row.
     *
     * @param values null where there is none
     */
    record DataRow(List<String> values) implements BackendMessage {
        private static final char TYPE = 'D';
        private static final int NULL = -1;

        /** Copies the list. */
        public DataRow {
            values = Collections.unmodifiableList(new ArrayList<>(values));
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, TYPE, body -> {
                body.writeShort(values.size());
                for (String value : values) {
                    if (value == null) {
                        body.writeInt(NULL);
                    } else {
                        int start = body.writerIndex();
                        body.writeInt(0);
                        body.setInt(start, body.writeCharSequence(value, StandardCharsets.UTF_8));
                    }
                }
            });
        }

        private static DataRow decode(ByteBuf in) throws MalformedMessageException {
            int count = Wire.need(in, Short.BYTES, "DataRow").readUnsignedShort();
            List<String> values = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                int length = Wire.need(in, Integer.BYTES, "DataRow").readInt();
                values.add(
                        length == NULL
                                ? null
                                : Wire.need(in, length, "DataRow").readString(length, StandardCharsets.UTF_8));
            }
            return new DataRow(values);
        }
    }

    /** A command has been done. */
    record CommandComplete(String tag) implements BackendMessage {
        private static final char TYPE = 'C';

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, TYPE, body -> Wire.text(body, tag));
        }
    }

    /** From now on both sides send {@link CopyData}. */
    record CopyBothResponse() implements BackendMessage {
        private static final char TYPE = 'W';

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, TYPE, body -> body.writeByte(0).writeShort(0)); // as text, no columns
        }

        private static CopyBothResponse decode(ByteBuf in) throws MalformedMessageException {
            Wire.need(in, Byte.BYTES + Short.BYTES, "CopyBothResponse").skipBytes(Byte.BYTES);
            Wire.need(in, in.readUnsignedShort() * Short.BYTES, "CopyBothResponse")
                    .skipBytes(in.readableBytes());
            return new CopyBothResponse();
        }
    }

    /** Something is wrong. What follows depends on what went before. */
    record ErrorResponse(Report report) implements BackendMessage {
        private static final char TYPE = 'E';

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, TYPE, report::encode);
        }
    }

    /** Something is worth knowing. */
    record NoticeResponse(Report report) implements BackendMessage {
        private static final char TYPE = 'N';

        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, TYPE, report::encode);
        }
    }

    /** A message of another kind, which is passed over. */
    record Unsupported(byte type) implements BackendMessage {
        @Override
        public void encode(ByteBuf out) {
            Wire.message(out, (char) type, body -> {});
        }
    }

    /**
     * Reads the next message of what has come. The content of {@link CopyData} stays there, and is valid until that changes.
     *
     * @param maxBodyBytes the longest body that is believed
     * @return null if it is not there whole
     */
    static BackendMessage next(ByteBuf in, int maxBodyBytes) throws MalformedMessageException {
        Packet packet = Packet.cut(in, maxBodyBytes);
        return packet == null ? null : decode(packet.type(), packet.body());
    }

    /** Reads what follows the length. */
    static BackendMessage decode(byte type, ByteBuf in) throws MalformedMessageException {
        return switch (type) {
            case AUTHENTICATION -> authentication(in);
            case ParameterStatus.TYPE -> Wire.whole(in, new ParameterStatus(Wire.text(in), Wire.text(in)));
            case BackendKeyData.TYPE -> BackendKeyData.decode(in);
            case NegotiateProtocolVersion.TYPE -> Wire.whole(in, NegotiateProtocolVersion.decode(in));
            case ReadyForQuery.TYPE -> {
                Wire.need(in, Byte.BYTES, "ReadyForQuery").skipBytes(Byte.BYTES);
                yield Wire.whole(in, new ReadyForQuery());
            }
            case RowDescription.TYPE -> Wire.whole(in, RowDescription.decode(in));
            case DataRow.TYPE -> Wire.whole(in, DataRow.decode(in));
            case CommandComplete.TYPE -> Wire.whole(in, new CommandComplete(Wire.text(in)));
            case CopyBothResponse.TYPE -> CopyBothResponse.decode(in);
            case CopyData.TYPE -> new CopyData(in.readSlice(in.readableBytes()));
            case CopyDone.TYPE -> Wire.whole(in, new CopyDone());
            case ErrorResponse.TYPE -> Wire.whole(in, new ErrorResponse(Report.decode(in)));
            case NoticeResponse.TYPE -> Wire.whole(in, new NoticeResponse(Report.decode(in)));
            default -> {
                in.skipBytes(in.readableBytes());
                yield new Unsupported(type);
            }
        };
    }
}
