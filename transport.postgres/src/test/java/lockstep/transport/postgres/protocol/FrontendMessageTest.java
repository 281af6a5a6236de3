package lockstep.transport.postgres.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.DecoderException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.postgres.protocol.CopyMessage.CopyDone;
import lockstep.transport.postgres.protocol.FrontendMessage.AuthenticationResponse;
import lockstep.transport.postgres.protocol.FrontendMessage.AuthenticationResponse.SaslInitial;
import lockstep.transport.postgres.protocol.FrontendMessage.CopyFail;
import lockstep.transport.postgres.protocol.FrontendMessage.Query;
import lockstep.transport.postgres.protocol.FrontendMessage.Terminate;
import lockstep.transport.postgres.protocol.StartupPacket.CancelRequest;
import lockstep.transport.postgres.protocol.StartupPacket.GssEncryptionRequest;
import lockstep.transport.postgres.protocol.StartupPacket.SslRequest;
import lockstep.transport.postgres.protocol.StartupPacket.Startup;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class FrontendMessageTest {
    private static final int MAX_BODY_BYTES = 1000;
    private static final String STARTUP = "0000001c 00030000 \"user\" 00 \"u\" 00 \"database\" 00 00";

    static Stream<Arguments> packets() {
        Map<String, String> parameters = new LinkedHashMap<>();
        parameters.put("user", "rep");
        parameters.put("replication", "true");
        parameters.put("application_name", "s1");
        return Stream.of(
                Arguments.of("00000008 04d2162f", new SslRequest()),
                Arguments.of("00000008 04d21630", new GssEncryptionRequest()),
                Arguments.of("00000010 04d2162e 00000001 00000002", new CancelRequest(1, 2)),
                Arguments.of("""
                        00000037 00030000 "user" 00 "rep" 00 "replication" 00 "true" 00 "application_name" 00 "s1" 00 00
                        """, new Startup(Startup.VERSION_3_0, parameters)));
    }

    @ParameterizedTest
    @MethodSource("packets")
    void aFirstPacketIsTheBytesOfPostgresAndIsReadBackFromThem(String picture, StartupPacket packet) {
        Golden.assertWrites(picture, packet::encode);
        assertEquals(packet, Golden.trickle(new FrontendDecoder(MAX_BODY_BYTES), Golden.bytes(picture)));
    }

    static Stream<Arguments> messages() {
        return Stream.of(
                Arguments.of("51 00000014 \"IDENTIFY_SYSTEM\" 00", new Query("IDENTIFY_SYSTEM")),
                Arguments.of("70 00000008 \"pw\" c3a4", AuthenticationResponse.sasl("pwä")),
                Arguments.of("70 00000007 \"pw\" 00", AuthenticationResponse.password("pw")),
                Arguments.of(
                        "70 00000020 \"SCRAM-SHA-256\" 00 0000000a \"n,,n=,r=ab\"",
                        AuthenticationResponse.saslInitial("SCRAM-SHA-256", "n,,n=,r=ab")),
                Arguments.of("63 00000004", new CopyDone()),
                Arguments.of("66 00000009 \"full\" 00", new CopyFail("full")),
                Arguments.of("58 00000004", new Terminate()));
    }

    @ParameterizedTest
    @MethodSource("messages")
    void aMessageIsTheBytesOfPostgresAndIsReadBackFromThem(String picture, FrontendMessage message) {
        Golden.assertWrites(picture, message::encode);
        assertEquals(message, started(picture).readInbound());
    }

    /** Returns a channel on which a client has sent its first packet and more. */
    private static EmbeddedChannel started(String picture) {
        EmbeddedChannel channel = new EmbeddedChannel(new FrontendDecoder(MAX_BODY_BYTES));
        channel.writeInbound(Golden.bytes("00000009 00030000 00"));
        channel.readInbound();
        channel.writeInbound(Golden.bytes(picture));
        return channel;
    }

    @Test
    void theAnswerOfAMechanismIsReadAsWhatWasAskedFor() throws Exception {
        assertEquals("gehäim", AuthenticationResponse.password("gehäim").password());
        assertEquals(
                new SaslInitial("SCRAM-SHA-256", "n,,n=,r=ü"),
                AuthenticationResponse.saslInitial("SCRAM-SHA-256", "n,,n=,r=ü").saslInitial());
        assertEquals(
                new SaslInitial("SCRAM-SHA-256", ""),
                new AuthenticationResponse("SCRAM-SHA-256\0\u00ff\u00ff\u00ff\u00ff").saslInitial());
        assertEquals("c=biws,r=ü", AuthenticationResponse.sasl("c=biws,r=ü").sasl());
        assertThrows(MalformedMessageException.class, () -> new AuthenticationResponse("X\0\0\0\0\5abc").saslInitial());
        assertThrows(MalformedMessageException.class, () -> new AuthenticationResponse("no end").password());
    }

    @Test
    void aPasswordDoesNotShowInTheTextOfItsMessage() {
        assertFalse(AuthenticationResponse.password("hunter2").toString().contains("hunter2"));
    }

    @Test
    void aClientOfALaterMinorVersionIsUnderstood() {
        EmbeddedChannel channel = new EmbeddedChannel(new FrontendDecoder(MAX_BODY_BYTES));
        channel.writeInbound(Golden.bytes("00000009 00030002 00"));
        assertEquals(new Startup(0x30002, Map.of()), channel.readInbound());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "47 45 54 20 2f 20 48 54 54 50", // GET / HTTP
                "00000004 00000000",
                "7fffffff 00030000",
                "00000009 00020000 00", // protocol 2
                "0000000d 00030000 \"user\" 00", // a name without a value
                STARTUP + "51 7fffffff",
                STARTUP + "51 00000003",
                STARTUP + "58 00000005 00",
            })
    void damagedBytesAreRefused(String picture) {
        EmbeddedChannel channel = new EmbeddedChannel(new FrontendDecoder(MAX_BODY_BYTES));
        DecoderException refused =
                assertThrows(DecoderException.class, () -> channel.writeInbound(Golden.bytes(picture)));
        assertEquals(MalformedMessageException.class, refused.getCause().getClass());
    }
}
