package lockstep.transport.tcp;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.nio.ByteBuffer;
import java.util.Random;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.api.Message;
import lockstep.transport.api.MessageCodec;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class PackingTest {
    private static final int HEADER_BYTES = 12;
    private static final int LITERAL_OFFSET = HEADER_BYTES + 30;

    private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
    private Packing packing;

    private void with(Compression compression) {
        packing = new Packing(compression, allocator);
    }

    @AfterEach
    void nothingIsLeft() {
        packing.close();
        assertEquals(0, allocator.metric().usedDirectMemory());
    }

    private static byte[] frame(byte[] data) {
        var message = new Message.WalData(1, 1 + data.length, 1, 1, ByteBuffer.wrap(data));
        var frame = ByteBuffer.allocate(MessageCodec.frameBytes(message));
        MessageCodec.encode(message, frame);
        return frame.array();
    }

    private static byte[] repetitive(int bytes) {
        byte[] data = new byte[bytes];
        for (int i = 0; i < bytes; i++) {
            data[i] = (byte) (i % 97);
        }
        return data;
    }

    private ByteBuf buffer(byte[] bytes) {
        return allocator.directBuffer(bytes.length, bytes.length).writeBytes(bytes);
    }

    private byte[] pack(byte[] frame) {
        ByteBuf packed = packing.pack(buffer(frame));
        byte[] bytes = new byte[packed.readableBytes()];
        packed.readBytes(bytes).release();
        return bytes;
    }

    private byte[] unpack(byte[] packed) throws MalformedMessageException {
        ByteBuf in = buffer(packed);
        try {
            ByteBuffer header = in.internalNioBuffer(0, HEADER_BYTES);
            assertTrue(Packing.isPacked(header));
            assertEquals(packed.length, Packing.packedBytes(header));
            ByteBuf frame = packing.unpack(in.internalNioBuffer(0, packed.length));
            byte[] bytes = new byte[frame.readableBytes()];
            frame.readBytes(bytes).release();
            return bytes;
        } finally {
            in.release();
        }
    }

    private String refusal(byte[] packed) {
        return assertThrows(MalformedMessageException.class, () -> unpack(packed))
                .getMessage();
    }

    private static byte[] header(int bytes, int frameBytes, int mark) {
        return ByteBuffer.allocate(HEADER_BYTES)
                .putInt(bytes)
                .putInt(frameBytes)
                .putInt(mark)
                .array();
    }

    /** Says something else about the length of what is inside. */
    private static byte[] saying(int frameBytes, byte[] packed) {
        byte[] lie = packed.clone();
        ByteBuffer.wrap(lie).putInt(4, frameBytes);
        return lie;
    }

    @ParameterizedTest
    @EnumSource
    void theLongestFrameBecomesSmallerAndIsTheSameAfterwards(Compression compression) throws Exception {
        with(compression);
        byte[] frame = frame(repetitive(MessageCodec.MAX_DATA_BYTES));
        byte[] packed = pack(frame);
        assertTrue(packed.length < frame.length / 50, packed.length + " bytes");
        assertArrayEquals(frame, unpack(packed));
    }

    @ParameterizedTest
    @EnumSource
    void whatDoesNotBecomeSmallerStaysAsItIs(Compression compression) {
        with(compression);
        byte[] noise = new byte[100_000];
        new Random(1).nextBytes(noise);
        ByteBuf frame = buffer(frame(noise));
        assertSame(frame, packing.pack(frame));
        frame.release();
    }

    @ParameterizedTest
    @EnumSource
    void whatFitsIntoOneSegmentStaysAsItIs(Compression compression) {
        with(compression);
        ByteBuf frame = buffer(new byte[Packing.MIN_FRAME_BYTES - 1]);
        assertSame(frame, packing.pack(frame));
        frame.release();
    }

    @ParameterizedTest
    @EnumSource
    void whatIsPackedAfterTheEndStaysAsItIs(Compression compression) {
        with(compression);
        packing.close();
        ByteBuf frame = buffer(frame(repetitive(10_000)));
        assertSame(frame, packing.pack(frame));
        frame.release();
    }

    @ParameterizedTest
    @CsvSource({
        "10, 2147483647, a compressed message says it has 2147483647 bytes",
        "10, -1, a compressed message says it has 4294967295 bytes",
        "10, 1048621, a compressed message says it has 1048621 bytes",
        "10, 11, a compressed message says it has 11 bytes",
        "0, 1000, a message of 1000 bytes says it is compressed to 0",
        "-1, 1000, a message of 1000 bytes says it is compressed to 4294967295",
        "1000, 1000, a message of 1000 bytes says it is compressed to 1000"
    })
    void lengthsOutOfBoundsAreRefusedBeforeAnythingIsAllocated(int bytes, int frameBytes, String found) {
        with(Compression.LZ4);
        var header = ByteBuffer.wrap(header(bytes, frameBytes, -1));
        var e = assertThrows(MalformedMessageException.class, () -> Packing.packedBytes(header));
        assertTrue(e.getMessage().startsWith(found), e.getMessage());
        assertEquals(0, allocator.metric().usedDirectMemory());
    }

    @ParameterizedTest
    @EnumSource
    void aBombIsStoppedAtTheLengthThatItSays(Compression compression) {
        with(compression);
        byte[] packed = pack(frame(new byte[MessageCodec.MAX_DATA_BYTES]));
        String why = refusal(saying(packed.length + 1000, packed));
        assertTrue(why.matches("a compressed message is no \\w+, or more than it says: .+"), why);
    }

    @ParameterizedTest
    @EnumSource
    void whatBecomesLessThanItSaysIsRefused(Compression compression) {
        with(compression);
        byte[] frame = frame(repetitive(10_000));
        String why = refusal(saying(frame.length + 1, pack(frame)));
        assertEquals("a compressed message has " + frame.length + " bytes, and said it has " + (frame.length + 1), why);
    }

    @ParameterizedTest
    @EnumSource
    void aFrameWhoseOwnHeaderSaysAnotherLengthIsRefused(Compression compression) {
        with(compression);
        byte[] frame = frame(repetitive(10_000));
        ByteBuffer.wrap(frame).putInt(4, 5_000);
        assertEquals(
                "a compressed message has " + frame.length + " bytes, and its own header says it has 5012",
                refusal(pack(frame)));
    }

    @ParameterizedTest
    @EnumSource
    void whatIsPackedTwiceIsRefused(Compression compression) {
        with(compression);
        byte[] twice = ByteBuffer.allocate(10_000)
                .put(header(10_000 - HEADER_BYTES, 20_000, -1))
                .array();
        assertTrue(refusal(pack(twice)).startsWith("message type is 4294967295"));
    }

    @ParameterizedTest
    @EnumSource
    void noiseNeverWritesOutsideOrLeavesAnything(Compression compression) {
        with(compression);
        byte[] frame = frame(repetitive(5_000));
        byte[] packed = pack(frame);
        Random random = new Random(7);
        for (int i = 0; i < 2_000; i++) {
            byte[] damaged = packed.clone();
            for (int flips = 1 + random.nextInt(8); flips > 0; flips--) {
                damaged[HEADER_BYTES + random.nextInt(damaged.length - HEADER_BYTES)] ^=
                        (byte) (1 << random.nextInt(8));
            }
            try {
                assertEquals(frame.length, unpack(damaged).length);
            } catch (MalformedMessageException expected) {
                assertFalse(expected.getMessage().isEmpty());
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void damageThatCompressionDoesNotSeeIsSeenByTheCheckOfTheFrame(Compression compression) throws Exception {
        with(compression);
        byte[] data = repetitive(10_000);
        byte[] packed = pack(frame(data));
        packed[LITERAL_OFFSET + 40] ^= 1;
        byte[] unpacked = unpack(packed);
        var e = assertThrows(MalformedMessageException.class, () -> MessageCodec.decode(ByteBuffer.wrap(unpacked)));
        assertTrue(e.getMessage().endsWith("damaged on the way"), e.getMessage());
    }
}
