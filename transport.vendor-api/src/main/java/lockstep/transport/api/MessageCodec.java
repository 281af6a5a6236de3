package lockstep.transport.api;

import java.nio.BufferOverflowException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * Turns messages into frames of bytes and back, for transports that just move bytes. Big-endian.
 *
 * <pre>
 *   0              4              8              12
 *   +--------------+--------------+--------------+----------------------+
 *   | CRC-32C      | body length  | type         | body                 |
 *   +--------------+--------------+--------------+----------------------+
 *                  |............ covered by the CRC ....................|
 * </pre>
 *
 * <p>The body holds the fields of the message in the order of its record. A {@code long} takes 8 bytes, an {@code int}
 * 4, a {@code boolean} 1 (0 or 1), an enum 4 (its code, listed here and never reused). A string is a 4-byte count of
 * bytes and UTF-8; a term its two numbers; a list of epochs is a 4-byte count and 12 bytes each, a list of standbys a 4-byte
 * count and the fields of each. The buffer of {@link Message.WalData} and
 * {@link Message.BackupData} comes last and reaches to the end of the body.
 *
 * <p><b>Bounds.</b> Each type has a shortest and a longest body, so a reader knows from the header alone how much room a
 * frame can ask for; the longest frame has {@link #MAX_FRAME_BYTES}. What does not fit a bound is not encoded either
 * ({@link IllegalArgumentException}), except that texts for people are cut to fit.
 *
 * <p><b>Damage.</b> Any difference between what was encoded and what is decoded is a {@link MalformedMessageException}
 * that says what was found and what was expected. A frame is checked in full before a message is made of it.
 *
 * <p><b>Copies.</b> Bulk data is copied once, into the frame; decoding gives a view of the frame. All methods are
 * thread-safe as long as each buffer is used by one thread.
 */
public final class MessageCodec {
    /** The most bytes of WAL or of a file in one message. */
    public static final int MAX_DATA_BYTES = 1 << 20;

    /** The longest name of a standby, a slot or a scheme, in bytes of UTF-8; as long as PostgreSQL's names. */
    public static final int MAX_NAME_BYTES = 63;

    /** The longest path of a file, in bytes of UTF-8. */
    public static final int MAX_PATH_BYTES = 1024;

    /** The longest list of endpoints, in bytes of UTF-8. */
    public static final int MAX_ENDPOINTS_BYTES = 4096;

    /** The longest text for people, in bytes of UTF-8. */
    public static final int MAX_TEXT_BYTES = 4096;

    /** The most standbys in a {@link Message.DownstreamStatus}. */
    public static final int MAX_DOWNSTREAM_STANDBYS = 256;

    /** The most epochs in a message. */
    public static final int MAX_EPOCHS = 1 << 15;

    /** The longest timeline history, in bytes of UTF-8. */
    public static final int MAX_HISTORY_BYTES = 256 << 10;

    private static final int CRC_OFFSET = 0;
    private static final int LENGTH_OFFSET = CRC_OFFSET + Integer.BYTES;
    private static final int TYPE_OFFSET = LENGTH_OFFSET + Integer.BYTES;

    /** The size of the header. */
    public static final int HEADER_BYTES = TYPE_OFFSET + Integer.BYTES;

    /** The size of the longest frame. */
    public static final int MAX_FRAME_BYTES = HEADER_BYTES + Type.WAL_DATA.maxBodyBytes;

    private static final int CODE_BYTES = Integer.BYTES;
    private static final int COUNT_BYTES = Integer.BYTES;
    private static final int EPOCH_BYTES = Integer.BYTES + Long.BYTES;

    private static final int DOWNSTREAM_STANDBY_BYTES = Integer.BYTES + Long.BYTES + 2 * COUNT_BYTES + 4 * Long.BYTES;

    private MessageCodec() {}

    /** What there is, with its code in the header. The fixed part of the body has a known size; the rest has a bound. */
    private enum Type {
        START_REPLICATION(1, 2 * COUNT_BYTES + 2 * Long.BYTES + 4 * Integer.BYTES, 2 * MAX_NAME_BYTES),
        REPLICATION_STARTED(
                2, 3 * Long.BYTES + 2 * Integer.BYTES + 2 * COUNT_BYTES, MAX_EPOCHS * EPOCH_BYTES + MAX_HISTORY_BYTES),
        WAL_DATA(3, 4 * Long.BYTES, MAX_DATA_BYTES),
        KEEPALIVE(4, 3 * Long.BYTES + Byte.BYTES, 0),
        STANDBY_STATUS(5, 4 * Long.BYTES + Byte.BYTES, 0),
        STANDBY_REASON(6, CODE_BYTES + Long.BYTES + COUNT_BYTES, MAX_TEXT_BYTES),
        BASE_BACKUP_REQUEST(7, 2 * COUNT_BYTES + Byte.BYTES, 2 * MAX_NAME_BYTES),
        BACKUP_STARTED(
                8, 3 * Long.BYTES + 3 * Integer.BYTES + 2 * COUNT_BYTES, MAX_EPOCHS * EPOCH_BYTES + MAX_HISTORY_BYTES),
        BACKUP_FILE(9, COUNT_BYTES + Long.BYTES, MAX_PATH_BYTES),
        BACKUP_DATA(10, 0, MAX_DATA_BYTES),
        BACKUP_ENDED(11, Long.BYTES, 0),
        REFUSAL(12, CODE_BYTES + COUNT_BYTES, MAX_TEXT_BYTES),
        DOWNSTREAM_STATUS(
                13,
                Long.BYTES + Integer.BYTES + COUNT_BYTES,
                MAX_DOWNSTREAM_STANDBYS * (DOWNSTREAM_STANDBY_BYTES + 2 * MAX_NAME_BYTES)),
        DEGRADED_RANGE(14, 2 * Long.BYTES + COUNT_BYTES, MAX_TEXT_BYTES),
        SWITCHOVER_REQUEST(15, COUNT_BYTES, MAX_NAME_BYTES),
        SWITCHOVER_ANSWER(16, 2 * COUNT_BYTES, MAX_ENDPOINTS_BYTES + MAX_TEXT_BYTES),
        TAKE_OVER(17, Long.BYTES, 0),
        TOOK_OVER(18, Integer.BYTES + Long.BYTES, 0),
        SESSION_SUCCESSION(19, 0, 0),
        MOVE_REQUEST(20, COUNT_BYTES, MAX_NAME_BYTES),
        MOVE_REFUSED(21, 2 * COUNT_BYTES, MAX_NAME_BYTES + MAX_TEXT_BYTES);

        private static final Type[] BY_CODE = values();

        final int code;
        final int minBodyBytes;
        final int maxBodyBytes;

        Type(int code, int fixedBytes, int maxMoreBytes) {
            this.code = code;
            minBodyBytes = fixedBytes;
            maxBodyBytes = fixedBytes + maxMoreBytes;
        }

        static Type of(int code) throws MalformedMessageException {
            if (code < 1 || code > BY_CODE.length) {
                throw new MalformedMessageException(
                        "message type is " + Integer.toUnsignedString(code) + ", expected 1 to " + BY_CODE.length);
            }
            return BY_CODE[code - 1];
        }
    }

    /** Returns the size of a message's frame. */
    public static int frameBytes(Message message) {
        return HEADER_BYTES + typeOf(message).minBodyBytes + moreBytes(message);
    }

    /**
     * Writes a message's frame at the buffer's position, and moves it behind the frame.
     *
     * @throws IllegalArgumentException if a part of the message is longer than its bound; says which
     * @throws BufferOverflowException if less than {@link #frameBytes(Message)} remains
     */
    public static void encode(Message message, ByteBuffer frame) {
        int start = frame.position();
        ByteOrder order = frame.order();
        boolean done = false;
        frame.order(ByteOrder.BIG_ENDIAN);
        try {
            Type type = typeOf(message);
            frame.putInt(0).putInt(0).putInt(type.code);
            encodeBody(message, frame);
            frame.putInt(start + LENGTH_OFFSET, frame.position() - start - HEADER_BYTES);
            frame.putInt(start + CRC_OFFSET, crc(frame, start + LENGTH_OFFSET, frame.position()));
            done = true;
        } finally {
            frame.order(order);
            if (!done) {
                frame.position(start);
            }
        }
    }

    /**
     * Reads from its header how long the frame is that begins at the buffer's position; changes nothing. A transport
     * reads so many bytes and then calls {@link #decode}.
     *
     * @param bytes with at least {@link #HEADER_BYTES} remaining
     * @throws MalformedMessageException if no frame begins so, or if less than a header remains
     */
    public static int frameBytes(ByteBuffer bytes) throws MalformedMessageException {
        if (bytes.remaining() < HEADER_BYTES) {
            throw new MalformedMessageException(
                    "message header has " + bytes.remaining() + " bytes, expected " + HEADER_BYTES);
        }
        int start = bytes.position();
        Type type = Type.of(bigEndian(bytes, start + TYPE_OFFSET));
        int bodyBytes = bigEndian(bytes, start + LENGTH_OFFSET);
        if (bodyBytes < type.minBodyBytes || bodyBytes > type.maxBodyBytes) {
            throw new MalformedMessageException(type + " has " + Integer.toUnsignedString(bodyBytes)
                    + " bytes, expected " + type.minBodyBytes + " to " + type.maxBodyBytes);
        }
        return HEADER_BYTES + bodyBytes;
    }

    /**
     * Reads the frame at the buffer's position, and moves it behind the frame. A buffer inside the message is a view of
     * {@code bytes}.
     *
     * @throws MalformedMessageException if there is no whole and undamaged frame; the position is then unchanged
     */
    public static Message decode(ByteBuffer bytes) throws MalformedMessageException {
        int frameBytes = frameBytes(bytes);
        int start = bytes.position();
        Type type = Type.of(bigEndian(bytes, start + TYPE_OFFSET));
        if (bytes.remaining() < frameBytes) {
            throw new MalformedMessageException(
                    type + " ends after " + bytes.remaining() + " bytes, expected " + frameBytes);
        }
        int found = bigEndian(bytes, start + CRC_OFFSET);
        int expected = crc(bytes, start + LENGTH_OFFSET, start + frameBytes);
        if (found != expected) {
            throw new MalformedMessageException(
                    String.format("%s has CRC %08X, expected %08X: damaged on the way", type, found, expected));
        }
        ByteBuffer body = bytes.slice(start + HEADER_BYTES, frameBytes - HEADER_BYTES);
        Message message = decodeBody(type, body);
        bytes.position(start + frameBytes);
        return message;
    }

    private static Type typeOf(Message message) {
        if (message instanceof Message.WalData) {
            return Type.WAL_DATA;
        } else if (message instanceof Message.StandbyStatus) {
            return Type.STANDBY_STATUS;
        } else if (message instanceof Message.Keepalive) {
            return Type.KEEPALIVE;
        } else if (message instanceof Message.BackupData) {
            return Type.BACKUP_DATA;
        } else if (message instanceof Message.BackupFile) {
            return Type.BACKUP_FILE;
        } else if (message instanceof Message.StartReplication) {
            return Type.START_REPLICATION;
        } else if (message instanceof Message.ReplicationStarted) {
            return Type.REPLICATION_STARTED;
        } else if (message instanceof Message.StandbyReason) {
            return Type.STANDBY_REASON;
        } else if (message instanceof Message.BaseBackupRequest) {
            return Type.BASE_BACKUP_REQUEST;
        } else if (message instanceof Message.BackupStarted) {
            return Type.BACKUP_STARTED;
        } else if (message instanceof Message.BackupEnded) {
            return Type.BACKUP_ENDED;
        } else if (message instanceof Message.Refusal) {
            return Type.REFUSAL;
        } else if (message instanceof Message.DownstreamStatus) {
            return Type.DOWNSTREAM_STATUS;
        } else if (message instanceof Message.DegradedRange) {
            return Type.DEGRADED_RANGE;
        } else if (message instanceof Message.SwitchoverRequest) {
            return Type.SWITCHOVER_REQUEST;
        } else if (message instanceof Message.SwitchoverAnswer) {
            return Type.SWITCHOVER_ANSWER;
        } else if (message instanceof Message.TakeOver) {
            return Type.TAKE_OVER;
        } else if (message instanceof Message.TookOver) {
            return Type.TOOK_OVER;
        } else if (message instanceof Message.SessionSuccession) {
            return Type.SESSION_SUCCESSION;
        } else if (message instanceof Message.MoveRequest) {
            return Type.MOVE_REQUEST;
        } else if (message instanceof Message.MoveRefused) {
            return Type.MOVE_REFUSED;
        }
        throw new AssertionError(message);
    }

    private static int moreBytes(Message message) {
        if (message instanceof Message.WalData m) {
            return m.bytes().remaining();
        } else if (message instanceof Message.BackupData m) {
            return m.bytes().remaining();
        } else if (message instanceof Message.BackupFile m) {
            return utf8("path", m.path(), MAX_PATH_BYTES).length;
        } else if (message instanceof Message.StartReplication m) {
            return standbyName(m.standbyName()).length + slotName(m.slotName()).length;
        } else if (message instanceof Message.BaseBackupRequest m) {
            return standbyName(m.standbyName()).length + slotName(m.slotName()).length;
        } else if (message instanceof Message.ReplicationStarted m) {
            return m.epochs().size() * EPOCH_BYTES + history(m.history()).length;
        } else if (message instanceof Message.BackupStarted m) {
            return m.epochs().size() * EPOCH_BYTES + history(m.history()).length;
        } else if (message instanceof Message.StandbyReason m) {
            return text(m.detail()).length;
        } else if (message instanceof Message.Refusal m) {
            return text(m.text()).length;
        } else if (message instanceof Message.DownstreamStatus m) {
            int bytes = 0;
            for (DownstreamStandby standby : m.standbys()) {
                bytes += DOWNSTREAM_STANDBY_BYTES + name(standby).length + state(standby).length;
            }
            return bytes;
        } else if (message instanceof Message.DegradedRange m) {
            return text(m.reason()).length;
        } else if (message instanceof Message.SwitchoverRequest m) {
            return standbyName(m.primaryName()).length;
        } else if (message instanceof Message.SwitchoverAnswer m) {
            return endpoints(m.endpoints()).length + text(m.obstacle()).length;
        } else if (message instanceof Message.MoveRequest m) {
            return scheme(m.scheme()).length;
        } else if (message instanceof Message.MoveRefused m) {
            return scheme(m.scheme()).length + text(m.text()).length;
        }
        return 0;
    }

    private static void encodeBody(Message message, ByteBuffer body) {
        if (message instanceof Message.WalData m) {
            body.putLong(m.startLsn()).putLong(m.endLsn()).putLong(m.flushedLsn());
            body.putLong(m.sentAtMicros());
            putData(body, m.bytes());
        } else if (message instanceof Message.StandbyStatus m) {
            body.putLong(m.writtenLsn()).putLong(m.flushedLsn()).putLong(m.appliedLsn());
            body.putLong(m.sentAtMicros());
            putBoolean(body, m.replyRequested());
        } else if (message instanceof Message.Keepalive m) {
            body.putLong(m.endLsn()).putLong(m.flushedLsn()).putLong(m.sentAtMicros());
            putBoolean(body, m.replyRequested());
        } else if (message instanceof Message.BackupData m) {
            putData(body, m.bytes());
        } else if (message instanceof Message.BackupFile m) {
            putString(body, utf8("path", m.path(), MAX_PATH_BYTES));
            body.putLong(m.lengthBytes());
        } else if (message instanceof Message.StartReplication m) {
            putString(body, standbyName(m.standbyName()));
            putString(body, slotName(m.slotName()));
            body.putLong(m.systemId()).putInt(m.timeline()).putInt(m.epoch()).putLong(m.startLsn());
            putTerm(body, m.newestTerm());
        } else if (message instanceof Message.ReplicationStarted m) {
            body.putLong(m.systemId()).putInt(m.timeline()).putInt(m.segmentBytes());
            body.putLong(m.startLsn()).putLong(m.flushedLsn());
            putEpochs(body, m.epochs());
            putString(body, history(m.history()));
        } else if (message instanceof Message.StandbyReason m) {
            body.putInt(code(m.reason())).putLong(m.lsn());
            putString(body, text(m.detail()));
        } else if (message instanceof Message.BaseBackupRequest m) {
            putString(body, standbyName(m.standbyName()));
            putString(body, slotName(m.slotName()));
            putBoolean(body, m.createSlot());
        } else if (message instanceof Message.BackupStarted m) {
            body.putLong(m.systemId()).putInt(m.timeline()).putInt(m.segmentBytes());
            body.putLong(m.checkpointLsn()).putLong(m.redoLsn());
            putEpochs(body, m.epochs());
            putString(body, history(m.history()));
            body.putInt(m.postgresVersion());
        } else if (message instanceof Message.BackupEnded m) {
            body.putLong(m.endLsn());
        } else if (message instanceof Message.Refusal m) {
            body.putInt(code(m.code()));
            putString(body, text(m.text()));
        } else if (message instanceof Message.DownstreamStatus m) {
            body.putLong(m.serverId()).putInt(m.omitted());
            putDownstream(body, m.standbys());
        } else if (message instanceof Message.DegradedRange m) {
            body.putLong(m.startLsn()).putLong(m.endLsn());
            putString(body, text(m.reason()));
        } else if (message instanceof Message.SwitchoverRequest m) {
            putString(body, standbyName(m.primaryName()));
        } else if (message instanceof Message.SwitchoverAnswer m) {
            putString(body, endpoints(m.endpoints()));
            putString(body, text(m.obstacle()));
        } else if (message instanceof Message.TakeOver m) {
            body.putLong(m.endLsn());
        } else if (message instanceof Message.TookOver m) {
            body.putInt(m.timeline()).putLong(m.startLsn());
        } else if (message instanceof Message.MoveRequest m) {
            putString(body, scheme(m.scheme()));
        } else if (message instanceof Message.MoveRefused m) {
            putString(body, scheme(m.scheme()));
            putString(body, text(m.text()));
        }
    }

    private static Message decodeBody(Type type, ByteBuffer body) throws MalformedMessageException {
        Message message;
        try {
            message = switch (type) {
                case WAL_DATA ->
                    new Message.WalData(body.getLong(), body.getLong(), body.getLong(), body.getLong(), data(body));
                case STANDBY_STATUS ->
                    new Message.StandbyStatus(
                            body.getLong(), body.getLong(), body.getLong(), body.getLong(), bool(body));
                case KEEPALIVE -> new Message.Keepalive(body.getLong(), body.getLong(), body.getLong(), bool(body));
                case BACKUP_DATA -> new Message.BackupData(data(body));
                case BACKUP_FILE -> new Message.BackupFile(string(body, MAX_PATH_BYTES), length(body));
                case START_REPLICATION ->
                    new Message.StartReplication(
                            string(body, MAX_NAME_BYTES),
                            string(body, MAX_NAME_BYTES),
                            body.getLong(),
                            body.getInt(),
                            body.getInt(),
                            body.getLong(),
                            term(body));
                case REPLICATION_STARTED ->
                    new Message.ReplicationStarted(
                            body.getLong(),
                            body.getInt(),
                            body.getInt(),
                            body.getLong(),
                            body.getLong(),
                            epochs(body),
                            string(body, MAX_HISTORY_BYTES));
                case STANDBY_REASON ->
                    new Message.StandbyReason(reason(body.getInt()), body.getLong(), string(body, MAX_TEXT_BYTES));
                case BASE_BACKUP_REQUEST ->
                    new Message.BaseBackupRequest(
                            string(body, MAX_NAME_BYTES), string(body, MAX_NAME_BYTES), bool(body));
                case BACKUP_STARTED ->
                    new Message.BackupStarted(
                            body.getLong(),
                            body.getInt(),
                            body.getInt(),
                            body.getLong(),
                            body.getLong(),
                            epochs(body),
                            string(body, MAX_HISTORY_BYTES),
                            body.getInt());
                case BACKUP_ENDED -> new Message.BackupEnded(body.getLong());
                case REFUSAL -> new Message.Refusal(refusalCode(body.getInt()), string(body, MAX_TEXT_BYTES));
                case DOWNSTREAM_STATUS ->
                    new Message.DownstreamStatus(body.getLong(), omitted(body.getInt()), downstream(body));
                case DEGRADED_RANGE ->
                    new Message.DegradedRange(body.getLong(), body.getLong(), string(body, MAX_TEXT_BYTES));
                case SWITCHOVER_REQUEST -> new Message.SwitchoverRequest(string(body, MAX_NAME_BYTES));
                case SWITCHOVER_ANSWER ->
                    new Message.SwitchoverAnswer(string(body, MAX_ENDPOINTS_BYTES), string(body, MAX_TEXT_BYTES));
                case TAKE_OVER -> new Message.TakeOver(body.getLong());
                case TOOK_OVER -> new Message.TookOver(body.getInt(), body.getLong());
                case SESSION_SUCCESSION -> new Message.SessionSuccession();
                case MOVE_REQUEST -> new Message.MoveRequest(string(body, MAX_NAME_BYTES));
                case MOVE_REFUSED ->
                    new Message.MoveRefused(string(body, MAX_NAME_BYTES), string(body, MAX_TEXT_BYTES));
            };
        } catch (BufferUnderflowException e) {
            throw new MalformedMessageException(type + " of " + body.limit() + " bytes ends inside a field", e);
        }
        if (body.hasRemaining()) {
            throw new MalformedMessageException(
                    type + " has " + body.limit() + " bytes, expected only the " + body.position() + " of its fields");
        }
        return message;
    }

    private static int code(Message.Reason reason) {
        return switch (reason) {
            case RECOVERED -> 1;
            case DISK_FULL -> 2;
            case FSYNC_ERROR -> 3;
            case CRC_MISMATCH -> 4;
            case OVERLOADED -> 5;
            case LEAVING -> 6;
        };
    }

    private static Message.Reason reason(int code) throws MalformedMessageException {
        for (Message.Reason reason : Message.Reason.values()) {
            if (code(reason) == code) {
                return reason;
            }
        }
        throw new MalformedMessageException("STANDBY_REASON has the unknown reason " + Integer.toUnsignedString(code));
    }

    private static int code(Message.RefusalCode refusal) {
        return switch (refusal) {
            case SYSTEM_MISMATCH -> 1;
            case TIMELINE_MISMATCH -> 2;
            case START_AHEAD -> 3;
            case WAL_REMOVED -> 4;
            case NAME_IN_USE -> 5;
            case TOO_MANY_STANDBYS -> 6;
            case NOT_READY -> 7;
            case PROTOCOL -> 8;
            case SHUTTING_DOWN -> 9;
            case NO_SUCH_SLOT -> 10;
            case SLOT_IN_USE -> 11;
            case SLOT_INVALIDATED -> 12;
            case LOOP -> 13;
            case NOT_ALLOWED -> 14;
        };
    }

    private static Message.RefusalCode refusalCode(int code) throws MalformedMessageException {
        for (Message.RefusalCode refusal : Message.RefusalCode.values()) {
            if (code(refusal) == code) {
                return refusal;
            }
        }
        throw new MalformedMessageException("REFUSAL has the unknown code " + Integer.toUnsignedString(code));
    }

    private static void putBoolean(ByteBuffer body, boolean value) {
        body.put((byte) (value ? 1 : 0));
    }

    private static boolean bool(ByteBuffer body) throws MalformedMessageException {
        byte value = body.get();
        if (value != 0 && value != 1) {
            throw new MalformedMessageException("yes or no is " + value + ", expected 1 or 0");
        }
        return value == 1;
    }

    private static long length(ByteBuffer body) throws MalformedMessageException {
        long value = body.getLong();
        if (value < 0) {
            throw new MalformedMessageException("file length is " + value + ", expected 0 or more");
        }
        return value;
    }

    private static void putData(ByteBuffer body, ByteBuffer data) {
        atMost("data", data.remaining(), MAX_DATA_BYTES);
        int end = body.position() + data.remaining();
        if (end > body.limit()) {
            throw new BufferOverflowException();
        }
        body.put(body.position(), data, data.position(), data.remaining()).position(end);
    }

    private static ByteBuffer data(ByteBuffer body) {
        ByteBuffer data = body.slice();
        body.position(body.limit());
        return data;
    }

    private static void putString(ByteBuffer body, byte[] utf8) {
        body.putInt(utf8.length).put(utf8);
    }

    private static String string(ByteBuffer body, int maxBytes) throws MalformedMessageException {
        int length = count("string", body, maxBytes, Byte.BYTES);
        int end = body.position() + length;
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(body.slice(body.position(), length))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new MalformedMessageException("string of " + length + " bytes is not UTF-8", e);
        } finally {
            body.position(end);
        }
    }

    private static void putTerm(ByteBuffer body, Term term) {
        body.putInt(term.timeline()).putInt(term.epoch());
    }

    private static Term term(ByteBuffer body) throws MalformedMessageException {
        int timeline = body.getInt();
        int epoch = body.getInt();
        if (timeline < 0 || epoch < 0) {
            throw new MalformedMessageException("term is " + timeline + '/' + epoch + ", expected no negative number");
        }
        return new Term(timeline, epoch);
    }

    private static void putEpochs(ByteBuffer body, List<Epoch> epochs) {
        atMost("list of epochs", epochs.size(), MAX_EPOCHS);
        body.putInt(epochs.size());
        for (Epoch epoch : epochs) {
            body.putInt(epoch.number()).putLong(epoch.startLsn());
        }
    }

    private static List<Epoch> epochs(ByteBuffer body) throws MalformedMessageException {
        int count = count("list of epochs", body, MAX_EPOCHS, EPOCH_BYTES);
        List<Epoch> epochs = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            epochs.add(new Epoch(body.getInt(), body.getLong()));
        }
        return epochs;
    }

    private static void putDownstream(ByteBuffer body, List<DownstreamStandby> standbys) {
        atMost("list of standbys", standbys.size(), MAX_DOWNSTREAM_STANDBYS);
        body.putInt(standbys.size());
        for (DownstreamStandby standby : standbys) {
            body.putInt(standby.upstream()).putLong(standby.serverId());
            putString(body, name(standby));
            putString(body, state(standby));
            body.putLong(standby.sentLsn()).putLong(standby.writtenLsn());
            body.putLong(standby.flushedLsn()).putLong(standby.appliedLsn());
        }
    }

    private static List<DownstreamStandby> downstream(ByteBuffer body) throws MalformedMessageException {
        int count = count("list of standbys", body, MAX_DOWNSTREAM_STANDBYS, DOWNSTREAM_STANDBY_BYTES);
        List<DownstreamStandby> standbys = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int upstream = body.getInt();
            if (upstream < -1 || upstream >= i) {
                throw new MalformedMessageException(
                        "standby " + i + " follows " + upstream + ", expected one before it, or -1");
            }
            standbys.add(new DownstreamStandby(
                    upstream,
                    body.getLong(),
                    string(body, MAX_NAME_BYTES),
                    string(body, MAX_NAME_BYTES),
                    body.getLong(),
                    body.getLong(),
                    body.getLong(),
                    body.getLong()));
        }
        return standbys;
    }

    private static int omitted(int value) throws MalformedMessageException {
        if (value < 0) {
            throw new MalformedMessageException("number of omitted standbys is " + value + ", expected 0 or more");
        }
        return value;
    }

    private static byte[] name(DownstreamStandby standby) {
        return utf8("standby name", standby.name(), MAX_NAME_BYTES);
    }

    private static byte[] state(DownstreamStandby standby) {
        return utf8("state", standby.state(), MAX_NAME_BYTES);
    }

    private static int count(String what, ByteBuffer body, int max, int bytesEach) throws MalformedMessageException {
        int count = body.getInt();
        int room = Math.min(max, body.remaining() / bytesEach);
        if (count < 0 || count > room) {
            throw new MalformedMessageException(
                    what + " has length " + Integer.toUnsignedString(count) + ", expected at most " + room);
        }
        return count;
    }

    private static byte[] standbyName(String name) {
        return utf8("standby name", name, MAX_NAME_BYTES);
    }

    private static byte[] slotName(String name) {
        return utf8("slot name", name, MAX_NAME_BYTES);
    }

    private static byte[] endpoints(String endpoints) {
        return utf8("list of endpoints", endpoints, MAX_ENDPOINTS_BYTES);
    }

    private static byte[] scheme(String scheme) {
        return utf8("scheme", scheme, MAX_NAME_BYTES);
    }

    private static byte[] history(String history) {
        return utf8("timeline history", history, MAX_HISTORY_BYTES);
    }

    /** A string that others compare, and so must arrive as it is. */
    private static byte[] utf8(String what, String string, int maxBytes) {
        byte[] utf8 = string.getBytes(StandardCharsets.UTF_8);
        atMost(what + " \"" + string + "\"", utf8.length, maxBytes);
        if (!new String(utf8, StandardCharsets.UTF_8).equals(string)) {
            throw new IllegalArgumentException(what + " \"" + string + "\" is not valid Unicode");
        }
        return utf8;
    }

    /** A text that people read: cut to its bound, between characters. */
    private static byte[] text(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        if (utf8.length <= MAX_TEXT_BYTES) {
            return utf8;
        }
        int end = MAX_TEXT_BYTES;
        while ((utf8[end] & 0xC0) == 0x80) {
            end--;
        }
        return Arrays.copyOf(utf8, end);
    }

    private static void atMost(String what, int length, int max) {
        if (length > max) {
            throw new IllegalArgumentException(what + " has length " + length + ", at most " + max + " can be sent");
        }
    }

    private static int crc(ByteBuffer bytes, int from, int to) {
        int position = bytes.position();
        int limit = bytes.limit();
        CRC32C crc = new CRC32C();
        crc.update(bytes.limit(to).position(from));
        bytes.limit(limit).position(position);
        return (int) crc.getValue();
    }

    private static int bigEndian(ByteBuffer bytes, int at) {
        int value = bytes.getInt(at);
        return bytes.order() == ByteOrder.BIG_ENDIAN ? value : Integer.reverseBytes(value);
    }
}
