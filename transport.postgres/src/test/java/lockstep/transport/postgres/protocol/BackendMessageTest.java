package lockstep.transport.postgres.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationMd5Password;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationOk;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationSasl;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationSaslContinue;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationSaslFinal;
import lockstep.transport.postgres.protocol.BackendMessage.BackendKeyData;
import lockstep.transport.postgres.protocol.BackendMessage.Column;
import lockstep.transport.postgres.protocol.BackendMessage.CommandComplete;
import lockstep.transport.postgres.protocol.BackendMessage.CopyBothResponse;
import lockstep.transport.postgres.protocol.BackendMessage.DataRow;
import lockstep.transport.postgres.protocol.BackendMessage.EncryptionAnswer;
import lockstep.transport.postgres.protocol.BackendMessage.ErrorResponse;
import lockstep.transport.postgres.protocol.BackendMessage.NegotiateProtocolVersion;
import lockstep.transport.postgres.protocol.BackendMessage.NoticeResponse;
import lockstep.transport.postgres.protocol.BackendMessage.ParameterStatus;
import lockstep.transport.postgres.protocol.BackendMessage.ReadyForQuery;
import lockstep.transport.postgres.protocol.BackendMessage.RowDescription;
import lockstep.transport.postgres.protocol.CopyMessage.CopyDone;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class BackendMessageTest {
    private static final int MAX_BODY_BYTES = 1000;

    static Stream<Arguments> messages() {
        return Stream.of(
                Arguments.of("52 00000008 00000000", new AuthenticationOk()),
                Arguments.of("52 0000000c 00000005 01020304", new AuthenticationMd5Password(0x01020304)),
                Arguments.of(
                        "52 00000017 0000000a \"SCRAM-SHA-256\" 00 00",
                        new AuthenticationSasl(List.of("SCRAM-SHA-256"))),
                Arguments.of(
                        "52 00000019 0000000b \"r=abc,s=QQ==,i=40\"",
                        new AuthenticationSaslContinue("r=abc,s=QQ==,i=40")),
                Arguments.of("52 0000000e 0000000c \"v=QQ==\"", new AuthenticationSaslFinal("v=QQ==")),
                Arguments.of(
                        "53 00000019 \"integer_datetimes\" 00 \"on\" 00",
                        new ParameterStatus("integer_datetimes", "on")),
                Arguments.of("4b 0000000c 00000102 f0000001", new BackendKeyData(0x102, 0xf0000001)),
                Arguments.of(
                        "76 00000012 00000000 00000001 \"_pq_.\" 00",
                        new NegotiateProtocolVersion(0, List.of("_pq_."))),
                Arguments.of("5a 00000005 49", new ReadyForQuery()),
                Arguments.of(
                        """
                        54 00000045 0002 "next_tli" 00 00000000 0000 00000014 0008 ffffffff 0000
                                         "next_tli_startpos" 00 00000000 0000 00000019 ffff ffffffff 0000
                        """, new RowDescription(List.of(Column.int8("next_tli"), Column.text("next_tli_startpos")))),
                Arguments.of(
                        "44 00000018 0003 00000001 \"2\" ffffffff 00000005 \"0/A10\"",
                        new DataRow(Arrays.asList("2", null, "0/A10"))),
                Arguments.of("43 00000014 \"START_STREAMING\" 00", new CommandComplete("START_STREAMING")),
                Arguments.of("57 00000007 00 0000", new CopyBothResponse()),
                Arguments.of("63 00000004", new CopyDone()),
                Arguments.of(
                        """
                        45 00000028 53 "ERROR" 00 56 "ERROR" 00 43 "42704" 00 4d "no slot" 00 44 "det" 00 00
                        """, new ErrorResponse(Report.error("42704", "no slot").withDetail("det"))),
                Arguments.of("""
                        4e 00000025 53 "NOTICE" 00 56 "NOTICE" 00 43 "00000" 00 4d "m" 00 48 "hint" 00 00
                        """, new NoticeResponse(new Report("NOTICE", "00000", "m", "", "hint"))));
    }

    @ParameterizedTest
    @MethodSource("messages")
    void aMessageIsTheBytesOfPostgresAndIsReadBackFromThem(String picture, BackendMessage message) throws Exception {
        Golden.assertWrites(picture, message::encode);
        ByteBuf bytes = Golden.bytes(picture);
        ByteBuf come = Unpooled.buffer();
        while (bytes.readableBytes() > 1) {
            come.writeByte(bytes.readByte());
            assertNull(BackendMessage.next(come, MAX_BODY_BYTES), "a message before its end");
        }
        come.writeByte(bytes.readByte()).writeByte('Z');
        assertEquals(message, BackendMessage.next(come, MAX_BODY_BYTES));
        assertNull(BackendMessage.next(come, MAX_BODY_BYTES), "a second message");
        assertEquals(1, come.readableBytes());
    }

    @Test
    void theAnswerToARequestForEncryptionIsABareByte() throws Exception {
        Golden.assertWrites("4e", EncryptionAnswer.NO::encode);
        assertEquals(EncryptionAnswer.NO, EncryptionAnswer.decode((byte) 'N'));
        assertEquals(EncryptionAnswer.YES, EncryptionAnswer.decode((byte) 'S'));
        assertThrows(MalformedMessageException.class, () -> EncryptionAnswer.decode((byte) 'H'));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "5a 00000003", // a length that does not count itself
                "5a 7fffffff", // more than is believed
                "5a ffffffff",
                "5a 00000006 49 49", // more than the message has
                "5a 00000004", // less
                "43 00000006 \"OK\"", // a text without an end
                "44 0000000b 0001 00000005 \"x\"", // a value longer than its row
                "44 0000000a 0001 fffffffe",
                "45 00000007 53 \"ER\"",
                "54 00000009 0001 \"a\" 00 00",
                "57 00000007 00 0001",
            })
    void damagedBytesAreRefused(String picture) {
        ByteBuf bytes = Golden.bytes(picture);
        assertThrows(MalformedMessageException.class, () -> BackendMessage.next(bytes, MAX_BODY_BYTES));
    }
}
