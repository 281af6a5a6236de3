package lockstep.transport.postgres.protocol;

import io.netty.buffer.ByteBuf;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import lockstep.transport.api.MalformedMessageException;

/** What a client sends before everything else: packets without a type, known by the number after their length. */
public sealed interface StartupPacket {
    /** The longest that is believed, as in PostgreSQL. */
    int MAX_BYTES = 10_000;

    /** Writes the packet, its length included. */
    void encode(ByteBuf out);

    /** Asks for TLS; answered by one bare byte, {@code S} or {@code N}. */
    record SslRequest() implements StartupPacket {
        private static final int CODE = 80877103;

        @Override
        public void encode(ByteBuf out) {
            Wire.packet(out, body -> body.writeInt(CODE));
        }
    }

    /** Asks for GSSAPI encryption; answered like {@link SslRequest}. */
    record GssEncryptionRequest() implements StartupPacket {
        private static final int CODE = 80877104;

        @Override
        public void encode(ByteBuf out) {
            Wire.packet(out, body -> body.writeInt(CODE));
        }
    }

    /** Asks that the query of another connection be cancelled; no answer, the connection is closed. */
    record CancelRequest(int processId, int secretKey) implements StartupPacket {
        private static final int CODE = 80877102;

        @Override
        public void encode(ByteBuf out) {
            Wire.packet(out, body -> body.writeInt(CODE).writeInt(processId).writeInt(secretKey));
        }
    }

    /**
     * Begins a session.
     *
     * @param version the protocol's, its major part in the upper 16 bits
     * @param parameters {@code user}, {@code replication}, {@code application_name} and others, in the order they came
     */
    record Startup(int version, Map<String, String> parameters) implements StartupPacket {
        /** Version 3.0. */
        public static final int VERSION_3_0 = 3 << 16;

        /** Copies the parameters. */
        public Startup {
            parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
        }

        /** Returns the major version. */
        public int major() {
            return version >>> 16;
        }

        /** Returns the minor version. */
        public int minor() {
            return version & 0xFFFF;
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.packet(out, body -> {
                body.writeInt(version);
                parameters.forEach((name, value) -> {
                    Wire.text(body, name);
                    Wire.text(body, value);
                });
                body.writeByte(0);
            });
        }

        private static Startup decode(int version, ByteBuf in) throws MalformedMessageException {
            Map<String, String> parameters = new LinkedHashMap<>();
            for (String name = Wire.text(in); !name.isEmpty(); name = Wire.text(in)) {
                parameters.put(name, Wire.text(in));
            }
            return new Startup(version, parameters);
        }
    }

    /** Reads what follows the length. */
    static StartupPacket decode(ByteBuf in) throws MalformedMessageException {
        int code = Wire.need(in, Integer.BYTES, "the first packet").readInt();
        StartupPacket packet = switch (code) {
            case SslRequest.CODE -> new SslRequest();
            case GssEncryptionRequest.CODE -> new GssEncryptionRequest();
            case CancelRequest.CODE -> {
                Wire.need(in, 2 * Integer.BYTES, "CancelRequest");
                CancelRequest cancel = new CancelRequest(in.readInt(), in.readInt());
                in.skipBytes(in.readableBytes()); // the key has become longer with protocol 3.2
                yield cancel;
            }
            default -> {
                if (code >>> 16 != Startup.VERSION_3_0 >>> 16) {
                    throw new MalformedMessageException("expected a PostgreSQL client of protocol 3, found "
                            + (code >>> 16) + "." + (code & 0xFFFF));
                }
                yield Startup.decode(code, in);
            }
        };
        return Wire.whole(in, packet);
    }
}
