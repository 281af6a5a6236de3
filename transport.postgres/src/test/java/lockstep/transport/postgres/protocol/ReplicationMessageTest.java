package lockstep.transport.postgres.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.netty.buffer.ByteBuf;
import java.util.stream.Stream;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.postgres.protocol.CopyMessage.CopyData;
import lockstep.transport.postgres.protocol.ReplicationMessage.HotStandbyFeedback;
import lockstep.transport.postgres.protocol.ReplicationMessage.ServerKeepalive;
import lockstep.transport.postgres.protocol.ReplicationMessage.StatusUpdate;
import lockstep.transport.postgres.protocol.ReplicationMessage.WalPiece;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ReplicationMessageTest {
    static Stream<Arguments> messages() {
        return Stream.of(
                Arguments.of("""
                        64 00000020 77 0000000002000000 0000000002000003 0002f5a1b2c3d4e5 "WAL"
                        """, new WalPiece(0x2000000, 0x2000003, 0x2f5a1b2c3d4e5L, Golden.bytes("\"WAL\""))),
                Arguments.of(
                        "64 00000016 6b 0000001600000010 0000000000000007 01",
                        new ServerKeepalive(0x1600000010L, 7, true)),
                Arguments.of("""
                        64 00000026 72 0000000000000003 0000000000000002 0000000000000001 0000000000000009 00
                        """, new StatusUpdate(3, 2, 1, 9, false)),
                Arguments.of(
                        "64 0000001d 68 0000000000000009 000002d9 00000000 00000000 00000000",
                        new HotStandbyFeedback(9, 729, 0, 0, 0)));
    }

    @ParameterizedTest
    @MethodSource("messages")
    void aMessageIsTheBytesOfPostgresAndIsReadBackFromThem(String picture, ReplicationMessage message)
            throws Exception {
        Golden.assertWrites(picture, message::encode);
        CopyData data = (CopyData) BackendMessage.next(Golden.bytes(picture), 1000);
        assertEquals(message, ReplicationMessage.decode(data.content()));
    }

    @Test
    void wantedRoomForAPieceOfWalIsKnown() {
        ByteBuf out = Golden.bytes("");
        new WalPiece(1, 2, 3, Golden.bytes("\"WAL\"")).encode(out);
        assertEquals(WalPiece.OVERHEAD_BYTES + 3, out.readableBytes());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "77 00000000",
                "6b 0000000000000001",
                "72 00",
                "68",
                "7a",
                "6b 0000000000000000 0000000000000000 00 00"
            })
    void damagedBytesAreRefused(String picture) {
        assertThrows(MalformedMessageException.class, () -> ReplicationMessage.decode(Golden.bytes(picture)));
    }
}
