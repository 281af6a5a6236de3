package lockstep.transport.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.BufferOverflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Collections;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class MessageCodecTest {
    private static final long LSN = 0x16_B374_D848L;
    private static final List<Epoch> EPOCHS = List.of(new Epoch(1, 0x100_0000), new Epoch(2, -1));

    static Stream<Message> messages() {
        Stream<Message> plain = Stream.of(
                new Message.StartReplication("s1", "slot_1", 7_000_000_000_000_000_001L, 3, 2, LSN, new Term(4, 9)),
                new Message.ReplicationStarted(1, 2, 16 << 20, LSN, LSN + 1, EPOCHS, "1\t0/28\tpromoted\n"),
                new Message.ReplicationStarted(1, 2, 16 << 20, LSN, LSN + 1, List.of(), ""),
                new Message.WalData(LSN, LSN + 8192, LSN, 717_000_000_000_000L, bytes(5)),
                new Message.WalData(-1, -1, -1, -1, bytes(0)),
                new Message.Keepalive(LSN, LSN - 8, 1, true),
                new Message.Keepalive(LSN, LSN - 8, 1, false),
                new Message.StandbyStatus(LSN, LSN - 8, LSN - 16, 1, true),
                new Message.BaseBackupRequest("Größe ∑ 😀", "", false),
                new Message.BaseBackupRequest("s1", "slot_1", true),
                new Message.BackupStarted(1, 2, 1 << 30, LSN, LSN - 8, EPOCHS, "1\t0/28\tpromoted\n", 15),
                new Message.BackupFile("kv/store.mv", Long.MAX_VALUE),
                new Message.BackupData(bytes(3)),
                new Message.BackupEnded(LSN),
                new Message.DownstreamStatus(1, 0, List.of()),
                new Message.DownstreamStatus(-1, 2, List.of(standby(-1, "s2"), standby(0, "Größe"), standby(-1, ""))),
                new Message.DegradedRange(LSN - 8, LSN, "no standby streams"),
                Message.DegradedRange.NONE,
                new Message.SwitchoverRequest("Größe"),
                new Message.SwitchoverAnswer("tcp://127.0.0.1:5441,ssh:///srv/b/wal.sock", ""),
                new Message.SwitchoverAnswer("", "redo is paused"),
                new Message.TakeOver(LSN),
                new Message.TookOver(7, LSN),
                new Message.SessionSuccession(),
                new Message.MoveRequest("ssh"),
                new Message.MoveRequest(Message.MoveRequest.ANY_OTHER),
                new Message.MoveRefused("ssh", "no endpoint of primary_conninfo is ssh://…"));
        Stream<Message> reasons =
                Stream.of(Message.Reason.values()).map(r -> new Message.StandbyReason(r, LSN, "pg_wal: no space left"));
        Stream<Message> refusals = Stream.of(Message.RefusalCode.values()).map(c -> new Message.Refusal(c, "no"));
        return Stream.of(plain, reasons, refusals).flatMap(s -> s);
    }

    @Test
    void everyKindOfMessageIsInTheseTests() {
        Set<Class<?>> kinds = messages().map(Object::getClass).collect(Collectors.toCollection(HashSet::new));
        assertEquals(Set.of(Message.class.getPermittedSubclasses()), kinds);
    }

    @ParameterizedTest
    @MethodSource("messages")
    void whatIsEncodedIsDecoded(Message message) throws Exception {
        for (ByteOrder order : List.of(ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN)) {
            int frameBytes = MessageCodec.frameBytes(message);
            var buffer = ByteBuffer.allocateDirect(frameBytes + 7).order(order).position(3);
            MessageCodec.encode(message, buffer);
            assertEquals(3 + frameBytes, buffer.position());
            assertEquals(order, buffer.order());

            buffer.position(3);
            assertEquals(frameBytes, MessageCodec.frameBytes(buffer));
            assertEquals(message, MessageCodec.decode(buffer));
            assertEquals(3 + frameBytes, buffer.position());
            assertEquals(3 + frameBytes + 4, buffer.limit());
        }
    }

    @ParameterizedTest
    @MethodSource("messages")
    void noFlippedBitGoesUnnoticed(Message message) throws Exception {
        byte[] frame = frame(message);
        // More than the frame, as in a stream, so that a length that grew finds bytes to read.
        var stream =
                ByteBuffer.allocate(MessageCodec.MAX_FRAME_BYTES).put(frame).rewind();
        for (int bit = 0; bit < frame.length * 8; bit++) {
            byte whole = stream.get(bit / 8);
            stream.put(bit / 8, (byte) (whole ^ 1 << bit % 8));
            assertRefused(stream);
            stream.put(bit / 8, whole);
        }
        assertEquals(frame.length, MessageCodec.frameBytes(stream));
    }

    @ParameterizedTest
    @MethodSource("messages")
    void noCutFrameIsAMessage(Message message) {
        byte[] frame = frame(message);
        for (int length = 0; length < frame.length; length++) {
            assertRefused(ByteBuffer.wrap(frame, 0, length));
        }
    }

    /** The CRCs were computed by another program; {@code 123456789} has E3069283 there, as it should. */
    @Test
    void theBytesStayAsTheyAre() {
        assertBytes(
                "A839F2D3 00000025 00000003 0000000000001000 0000000000003000 0000000000002000 0000000000000007 0102030405",
                new Message.WalData(0x1000, 0x3000, 0x2000, 7, bytes(5)));
        assertBytes(
                "D85982BE 00000019 00000004 0000000000003000 0000000000002000 0000000000000007 00",
                new Message.Keepalive(0x3000, 0x2000, 7, false));
        assertBytes(
                "0181DBF4 00000021 00000005 0000000000003000 0000000000002000 0000000000001000 0000000000000007 01",
                new Message.StandbyStatus(0x3000, 0x2000, 0x1000, 7, true));
        assertBytes(
                "07DE5C53 0000002D 00000001 00000002 7331 00000003 736C31 0000000000000009 00000001 00000002 0000000000001000 00000001 00000004",
                new Message.StartReplication("s1", "sl1", 9, 1, 2, 0x1000, new Term(1, 4)));
        assertBytes(
                "67969960 00000034 00000002 0000000000000009 00000001 01000000 0000000000001000 0000000000002000 00000001 00000002 0000000000000800 00000000",
                new Message.ReplicationStarted(9, 1, 16 << 20, 0x1000, 0x2000, List.of(new Epoch(2, 0x800)), ""));
        assertBytes(
                "A8B2F281 00000012 00000006 00000002 0000000000001000 00000002 6E6F",
                new Message.StandbyReason(Message.Reason.DISK_FULL, 0x1000, "no"));
        assertBytes(
                "6AC59BE5 0000000E 00000007 00000002 7331 00000003 736C31 01",
                new Message.BaseBackupRequest("s1", "sl1", true));
        assertBytes(
                "A267CF82 0000002C 00000008 0000000000000009 00000001 01000000 0000000000001000 0000000000000800 00000000 00000000 00000000",
                new Message.BackupStarted(9, 1, 16 << 20, 0x1000, 0x800, List.of(), "", 0));
        assertBytes("55B37A86 0000000F 00000009 00000003 6B2F61 0000000000000005", new Message.BackupFile("k/a", 5));
        assertBytes("A9E22092 00000003 0000000A 010203", new Message.BackupData(bytes(3)));
        assertBytes("5F14200C 00000008 0000000B 0000000000001000", new Message.BackupEnded(0x1000));
        assertBytes(
                "EC89884B 0000000A 0000000C 00000009 00000002 6E6F",
                new Message.Refusal(Message.RefusalCode.SHUTTING_DOWN, "no"));
        assertBytes(
                "5EA769AA 00000016 0000000E 0000000000001000 0000000000002000 00000002 6E6F",
                new Message.DegradedRange(0x1000, 0x2000, "no"));
        assertBytes("6A0D9D86 00000006 0000000F 00000002 7031", new Message.SwitchoverRequest("p1"));
        assertBytes(
                "A872E00C 0000000F 00000010 00000005 743A2F2F62 00000002 6E6F",
                new Message.SwitchoverAnswer("t://b", "no"));
        assertBytes("7FFD9B25 00000008 00000011 0000000000001000", new Message.TakeOver(0x1000));
        assertBytes("82A318C0 0000000C 00000012 00000002 0000000000001000", new Message.TookOver(2, 0x1000));
        assertBytes("8F268611 00000000 00000013", new Message.SessionSuccession());
        assertBytes("DE1E8BE7 00000007 00000014 00000003 737368", new Message.MoveRequest("ssh"));
        assertBytes("9E689C4A 0000000D 00000015 00000003 737368 00000002 6E6F", new Message.MoveRefused("ssh", "no"));
    }

    @Test
    void theLargestDataFitsAndOneByteMoreDoesNot() throws Exception {
        var most = new Message.WalData(0, 0, 0, 0, ByteBuffer.allocate(MessageCodec.MAX_DATA_BYTES));
        assertEquals(MessageCodec.MAX_FRAME_BYTES, MessageCodec.frameBytes(most));
        assertEquals(most, MessageCodec.decode(ByteBuffer.wrap(frame(most))));

        var buffer = ByteBuffer.allocate(2 * MessageCodec.MAX_FRAME_BYTES).position(9);
        var more = new Message.BackupData(ByteBuffer.allocate(MessageCodec.MAX_DATA_BYTES + 1));
        var e = assertThrows(IllegalArgumentException.class, () -> MessageCodec.encode(more, buffer));
        assertTrue(e.getMessage().contains("1048577") && e.getMessage().contains("1048576"), e.getMessage());
        assertEquals(9, buffer.position());
    }

    @Test
    void aFrameThatDoesNotFitTheBufferLeavesItAsItWas() {
        var message = new Message.WalData(1, 2, 3, 4, bytes(100));
        var buffer = ByteBuffer.allocate(MessageCodec.frameBytes(message) - 1);
        assertThrows(BufferOverflowException.class, () -> MessageCodec.encode(message, buffer));
        assertEquals(0, buffer.position());
    }

    @Test
    void dataIsReadFromPositionToLimitAndDecodedAsAView() throws Exception {
        var source = bytes(10).position(2).limit(6);
        var frame = ByteBuffer.wrap(frame(new Message.BackupData(source)));
        assertEquals(2, source.position());
        assertEquals(6, source.limit());
        var decoded = (Message.BackupData) MessageCodec.decode(frame);
        assertEquals(ByteBuffer.wrap(new byte[] {3, 4, 5, 6}), decoded.bytes());
        assertSame(frame.array(), decoded.bytes().array());
    }

    @Test
    void framesFollowEachOther() throws Exception {
        var stream = ByteBuffer.allocate(1000);
        MessageCodec.encode(new Message.BackupEnded(1), stream);
        MessageCodec.encode(new Message.BackupEnded(2), stream);
        stream.flip();
        assertEquals(new Message.BackupEnded(1), MessageCodec.decode(stream));
        assertEquals(new Message.BackupEnded(2), MessageCodec.decode(stream));
        assertFalse(stream.hasRemaining());
    }

    @Test
    void namesArriveAsTheyAreOrNotAtAll() {
        assertThrows(
                IllegalArgumentException.class, () -> frame(new Message.BaseBackupRequest("n".repeat(64), "", false)));
        assertThrows(
                IllegalArgumentException.class, () -> frame(new Message.BaseBackupRequest("", "n".repeat(64), false)));
        assertThrows(IllegalArgumentException.class, () -> frame(new Message.BackupFile("p".repeat(1025), 0)));
        assertThrows(IllegalArgumentException.class, () -> frame(new Message.BackupFile("a\uD800b", 0)));
        assertThrows(
                IllegalArgumentException.class,
                () -> frame(new Message.BackupStarted(
                        1, 1, 1, 1, 1, Collections.nCopies(MessageCodec.MAX_EPOCHS + 1, new Epoch(1, 1)), "", 0)));
        assertThrows(
                IllegalArgumentException.class,
                () -> frame(new Message.DownstreamStatus(1, 0, Collections.nCopies(257, standby(-1, "s")))));
    }

    @Test
    void longTextsForPeopleAreCutBetweenCharacters() throws Exception {
        var long1 = new Message.Refusal(Message.RefusalCode.PROTOCOL, "x" + "😀".repeat(2000));
        var cut = new Message.Refusal(Message.RefusalCode.PROTOCOL, "x" + "😀".repeat(1023));
        assertEquals(cut, MessageCodec.decode(ByteBuffer.wrap(frame(long1))));
    }

    @Test
    void aWellSealedLieIsRefusedByName() {
        assertLie("message type is 0, expected 1 to 21", 0, "");
        assertLie("message type is 22, expected 1 to 21", 22, "");
        assertLie("message type is 4294967295, expected 1 to 21", -1, "");
        assertLie("KEEPALIVE has 24 bytes, expected 25 to 25", 4, "00".repeat(24));
        assertLie("KEEPALIVE has 26 bytes, expected 25 to 25", 4, "00".repeat(26));
        assertLie("yes or no is 2, expected 1 or 0", 4, "00".repeat(24) + "02");
        assertLie("STANDBY_REASON has the unknown reason 7", 6, "00000007" + "00".repeat(8) + "00000000");
        assertLie("STANDBY_REASON has the unknown reason 0", 6, "00000000" + "00".repeat(8) + "00000000");
        assertLie("REFUSAL has the unknown code 15", 12, "0000000F" + "00000000");
        assertLie("string has length 6, expected at most 5", 7, "00000006" + "7331000000");
        assertLie("string has length 4294967295, expected at most 5", 7, "FFFFFFFF" + "7331000000");
        assertLie("BASE_BACKUP_REQUEST has 10 bytes, expected only the 9 of its fields", 7, "00".repeat(10));
        assertLie("string of 2 bytes is not UTF-8", 7, "00000002" + "C328" + "00000000" + "00");
        assertLie("string has length 64, expected at most 63", 1, "00000040" + "61".repeat(64) + "00".repeat(27));
        assertLie("START_REPLICATION of 40 bytes ends inside a field", 1, "00000003" + "616161" + "00".repeat(33));
        assertLie("term is 1/-1, expected no negative number", 1, "00".repeat(32) + "00000001" + "FFFFFFFF");
        assertLie("file length is -1, expected 0 or more", 9, "00000000" + "FF".repeat(8));
        assertLie(
                "list of standbys has length 1, expected at most 0",
                13,
                "00".repeat(12) + "00000001" + "00".repeat(51));
        assertLie("number of omitted standbys is -1, expected 0 or more", 13, "00".repeat(8) + "FFFFFFFF" + "00000000");
        String standby = "00".repeat(8) + "00000000" + "00000000" + "00".repeat(32);
        assertLie(
                "standby 0 follows 0, expected one before it, or -1",
                13,
                "00".repeat(12) + "00000001" + "00000000" + standby);
        assertLie(
                "standby 1 follows -2, expected one before it, or -1",
                13,
                "00".repeat(12) + "00000002" + "FFFFFFFF" + standby + "FFFFFFFE" + standby);
        assertLie("list of epochs has length 2, expected at most 1", 8, "00".repeat(32) + "00000002" + "00".repeat(12));
        assertLie(
                "list of epochs has length 4294967295, expected at most 0",
                2,
                "00".repeat(32) + "FFFFFFFF" + "00".repeat(4));
    }

    private static DownstreamStandby standby(int upstream, String name) {
        return new DownstreamStandby(upstream, 7, name, "streaming", LSN + 3, LSN + 2, LSN + 1, LSN);
    }

    /** Seals a body with a right length and CRC, and expects it to be refused all the same. */
    private static void assertLie(String expected, int type, String bodyHex) {
        byte[] body = HexFormat.of().parseHex(bodyHex);
        var frame = ByteBuffer.allocate(12 + body.length);
        frame.putInt(0).putInt(body.length).putInt(type).put(body);
        var crc = new CRC32C();
        crc.update(frame.array(), 4, frame.capacity() - 4);
        frame.putInt(0, (int) crc.getValue()).rewind();
        var e = assertThrows(MalformedMessageException.class, () -> MessageCodec.decode(frame));
        assertEquals(expected, e.getMessage());
        assertEquals(0, frame.position());
    }

    private static void assertRefused(ByteBuffer bytes) {
        int position = bytes.position();
        int limit = bytes.limit();
        assertThrows(MalformedMessageException.class, () -> MessageCodec.decode(bytes));
        assertEquals(position, bytes.position());
        assertEquals(limit, bytes.limit());
    }

    private static ByteBuffer bytes(int length) {
        var bytes = ByteBuffer.allocate(length);
        for (int i = 0; i < length; i++) {
            bytes.put(i, (byte) (i + 1));
        }
        return bytes;
    }

    private static byte[] frame(Message message) {
        var frame = ByteBuffer.allocate(MessageCodec.frameBytes(message));
        MessageCodec.encode(message, frame);
        assertFalse(frame.hasRemaining());
        return frame.array();
    }

    private static void assertBytes(String hex, Message message) {
        assertEquals(hex.replace(" ", ""), HexFormat.of().withUpperCase().formatHex(frame(message)));
    }
}
