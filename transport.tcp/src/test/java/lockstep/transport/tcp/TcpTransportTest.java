package lockstep.transport.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import lockstep.security.Security;
import lockstep.security.SecuritySettings;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Message;
import lockstep.transport.api.MessageCodec;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import lockstep.transport.netty.PortListener;
import lockstep.transport.netty.SocketIo;
import lockstep.transport.tck.Messages;
import lockstep.transport.tck.RecordingHandler;
import lockstep.transport.tck.Resources;
import lockstep.transport.tck.Wire;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** The contract, and what is said on the wire besides. */
abstract class TcpTransportTest extends TcpContract {
    private static final int SOON_MS = 100;
    private static final byte[] GREETING = HexFormat.of().parseHex("4C4F434B53544550" + "00000002");

    /** HELLO, with the one value name=raw. */
    private static final byte[] HELLO = HexFormat.of().parseHex("000C" + "01" + "01" + "046E616D65" + "0003726177");

    private static final byte[] OPENING = ByteBuffer.allocate(GREETING.length + HELLO.length)
            .put(GREETING)
            .put(HELLO)
            .array();

    private final Logger logger = (Logger) LoggerFactory.getLogger(PortListener.class);
    private final BlockingQueue<String> logged = new LinkedBlockingQueue<>();
    private final AppenderBase<ILoggingEvent> appender = new AppenderBase<>() {
        @Override
        protected void append(ILoggingEvent event) {
            logged.add(event.getLevel() + " " + event.getFormattedMessage());
        }
    };

    @TempDir
    Path folder;

    abstract SocketIo io();

    private TcpTransport transport(int openMs) {
        var settings = SecuritySettings.except(Map.of("authenticationTimeout", openMs + "ms"));
        return new TcpTransport(io(), openMs, new Security(folder, Map.of(), settings));
    }

    @Override
    protected Transport create() {
        return transport(OPEN_MS);
    }

    @BeforeEach
    void listenToLog() {
        appender.start();
        logger.setLevel(Level.WARN);
        logger.addAppender(appender);
    }

    @AfterEach
    void leaveLog() {
        logger.detachAppender(appender);
    }

    private Socket rawSocket() throws IOException {
        return new Socket(
                InetAddress.getLoopbackAddress(),
                ends().listener().endpoint().uri().getPort());
    }

    @Test
    void theSchemeIsTcp() {
        assertEquals("tcp", ends().server().scheme());
    }

    @Test
    void thePeerIsNamedByItsAddress() throws Exception {
        var there = ends().connect();
        assertEquals(
                "127.0.0.1:" + ends().listener().endpoint().uri().getPort(),
                there.session().peer().address());
        assertEquals("", there.session().peer().identity());
        assertFalse(there.session().peer().flushedWalOnly());
        assertTrue(ends().accepted().session().peer().address().startsWith("127.0.0.1:"));
    }

    @Test
    void threadsAreNamedAfterWhatTheyServe() throws Exception {
        ends().connect();
        var here = ends().accepted();
        var names = Resources.threadNames();
        assertTrue(names.contains("tcp-session-" + here.session().peer().address()), names.toString());
        assertTrue(
                names.contains("tcp-session-127.0.0.1:"
                        + ends().listener().endpoint().uri().getPort()),
                names.toString());
    }

    @Test
    void literalsOfVersionSixWork() throws Exception {
        ends().listenAgain(Endpoint.parse("tcp://[::1]:0"));
        assertTrue(ends().listener().endpoint().toString().startsWith("tcp://[::1]:"));
        var there = ends().connect();
        var here = ends().accepted();
        there.session().send(new Message.BackupEnded(1));
        assertEquals(new Message.BackupEnded(1), here.next());
        assertTrue(there.session().peer().address().contains("0:1]:")
                || there.session().peer().address().startsWith("[::1]:"));
    }

    @Test
    void whatCannotBeReachedIsToldInWords() throws Exception {
        var nowhere = nowhere();
        assertEquals(
                "cannot connect to " + nowhere
                        + ": connection refused; is the server running, and does it listen there?",
                refusal(nowhere));
        var unknown = Endpoint.parse("tcp://no-such-host.invalid:5440");
        var plain = Endpoint.parse(unknown + "?sslmode=disable");
        assertEquals("cannot connect to " + plain + ": unknown host no-such-host.invalid", refusal(plain));
        assertEquals("cannot connect to tcp://127.0.0.1:0: expected a port from 1 to 65535", refusal(anywhere()));
        var e = assertThrows(TransportException.class, () -> ends().server().listen(unknown, ends()::accept));
        assertEquals("cannot listen on " + unknown + ": unknown host no-such-host.invalid", e.getMessage());
    }

    private String refusal(Endpoint endpoint) {
        return assertThrows(TransportException.class, () -> ends().client().connect(endpoint, new RecordingHandler()))
                .getMessage();
    }

    @Test
    void foreignBytesAreRefusedAtOnceAndTheServerGoesOn() throws Exception {
        assertForeign(
                "expected a Lockstep server, found \"GET / HTTP/1.1\"", ascii("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
        assertForeign(
                "found bytes 16030102000100: TLS, which is not spoken here (ssl = on)",
                HexFormat.of().parseHex("16030102000100"));
        assertForeign("found bytes 00", new byte[1]);
        assertForeign("found \"LOCKSMITH\"", ascii("LOCKSMITH"));
        assertForeign(
                "expected version 2 of the protocol, found 1: update the older server",
                HexFormat.of().parseHex("4C4F434B53544550" + "00000001"));
        var there = ends().connect();
        there.session().send(new Message.BackupEnded(1));
        assertEquals(new Message.BackupEnded(1), ends().accepted().next());
    }

    private void assertForeign(String expected, byte[] bytes) throws Exception {
        try (Socket socket = rawSocket()) {
            socket.getOutputStream().write(bytes);
            String line = logged.poll(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
            assertNotNull(line, "nothing was logged");
            assertTrue(
                    line.startsWith("WARN listener on " + ends().listener().endpoint() + " refused 127.0.0.1:"), line);
            assertTrue(line.contains(":" + socket.getLocalPort() + ":"), line);
            assertTrue(line.contains(expected), line);
            assertTrue(ended(socket));
        }
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    private static boolean ended(Socket socket) {
        try {
            // What is said before the end does not matter.
            socket.getInputStream().transferTo(OutputStream.nullOutputStream());
            return true;
        } catch (IOException reset) {
            return true;
        }
    }

    @Test
    void whoGreetsByHalvesIsSentAwayInTime() throws Exception {
        var hasty = transport(SOON_MS);
        try {
            var door = hasty.listen(anywhere(), ends()::accept).endpoint();
            try (var socket =
                    new Socket(InetAddress.getLoopbackAddress(), door.uri().getPort())) {
                socket.getOutputStream().write(GREETING, 0, 5);
                assertTrue(ended(socket));
            }
            String line = logged.poll(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
            assertNotNull(line);
            assertTrue(line.contains("to greet within 100 ms, found 5 of 12 bytes"), line);
            assertFalse(ends().hasAccepted());
        } finally {
            hasty.close();
        }
    }

    @Test
    void whoDoesNotSayWhoItIsIsSentAwayInTime() throws Exception {
        var hasty = transport(SOON_MS);
        try {
            var door = hasty.listen(anywhere(), ends()::accept).endpoint();
            try (var socket =
                    new Socket(InetAddress.getLoopbackAddress(), door.uri().getPort())) {
                socket.getOutputStream().write(OPENING, 0, OPENING.length - 1);
                String line = logged.poll(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
                assertNotNull(line);
                assertTrue(line.endsWith(" to say within 100 ms who it is"), line);
            }
            assertFalse(ends().hasAccepted());
        } finally {
            hasty.close();
        }
    }

    @Test
    void aWordThatIsTooLongOrMakesNoSenseIsRefusedBeforeItIsThere() throws Exception {
        String greeting = HexFormat.of().formatHex(GREETING);
        assertForeign(
                "expected at most 4096 bytes before the session is open, found 65535",
                HexFormat.of().parseHex(greeting + "FFFF"));
        assertForeign("expected a word of the handshake", HexFormat.of().parseHex(greeting + "0002" + "6301"));
        assertForeign("has another length than its parts", HexFormat.of().parseHex(greeting + "0002" + "0101"));
        assertForeign("has another length than its parts", HexFormat.of().parseHex(greeting + "0003" + "010000"));
        assertForeign("expected HELLO, found PROOF", HexFormat.of().parseHex(greeting + "0002" + "0500"));
    }

    @Test
    void whoAnswersNothingIsGivenUpInTime() throws Exception {
        var hasty = transport(SOON_MS);
        try (var mute = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            var handler = new RecordingHandler();
            var endpoint = Endpoint.parse("tcp://127.0.0.1:" + mute.getLocalPort());
            var e = assertThrows(TransportException.class, () -> hasty.connect(endpoint, handler));
            assertTrue(
                    e.getMessage().contains(endpoint.toString())
                            && e.getMessage().contains("100 ms"),
                    e.toString());
            assertFalse(handler.isClosed());
        } finally {
            hasty.close();
        }
    }

    @Test
    void connectingToAnotherKindOfServerSaysWhatItAnswers() throws Exception {
        try (var other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            var answers = new Thread(() -> {
                try (Socket socket = other.accept()) {
                    socket.getOutputStream().write(ascii("SSH-2.0-OpenSSH_9.2\r\n"));
                    ended(socket);
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            });
            answers.start();
            String why = refusal(Endpoint.parse("tcp://127.0.0.1:" + other.getLocalPort()));
            assertTrue(why.contains("expected a Lockstep server, found \"SSH-2.0-OpenSSH_9.2\""), why);
            answers.join();
        }
    }

    @Test
    void greetingAndMessagesArriveEvenByteByByte() throws Exception {
        try (Socket socket = rawSocket()) {
            socket.setTcpNoDelay(true);
            for (byte next : OPENING) {
                socket.getOutputStream().write(next);
            }
            var message = Messages.wal(5, 100);
            for (int i = 0; i < 3; i++) {
                for (byte next : frame(message)) {
                    socket.getOutputStream().write(next);
                }
            }
            var here = ends().accepted();
            for (int i = 0; i < 3; i++) {
                assertEquals(message, here.next());
            }
            socket.getOutputStream().write(frame(message), 0, 20);
            socket.shutdownOutput();
            assertEquals(
                    "127.0.0.1:" + socket.getLocalPort()
                            + " closed the connection in the middle of a message, after 20 of its bytes",
                    here.cause());
        }
    }

    @Test
    void aFlippedBitInFlightIsNamedAsDamage() throws Exception {
        try (var wire = wire(ends().listener().endpoint()).orElseThrow()) {
            var link = ends().link(wire);
            wire.damage(Wire.Damage.FLIP, 35_000);
            for (int i = 0; i < 10; i++) {
                link.client().session().send(Messages.wal(i, 10_000));
            }
            String cause = link.server().cause();
            assertTrue(
                    cause.matches("message from 127\\.0\\.0\\.1:\\d+: WAL_DATA has CRC \\p{XDigit}{8}, "
                            + "expected \\p{XDigit}{8}: damaged on the way"),
                    cause);
            assertEquals(3, link.server().takeAll().size());
        }
    }

    @Test
    void aFrameThatIsTooLongEndsItsSession() throws Exception {
        try (Socket socket = rawSocket()) {
            socket.getOutputStream().write(OPENING);
            var header =
                    ByteBuffer.allocate(12).putInt(0).putInt(Integer.MAX_VALUE).putInt(3);
            socket.getOutputStream().write(header.array());
            assertEquals(
                    "message from 127.0.0.1:" + socket.getLocalPort()
                            + ": WAL_DATA has 2147483647 bytes, expected 32 to 1048608",
                    ends().accepted().cause());
        }
    }

    private static byte[] frame(Message message) {
        var frame = ByteBuffer.allocate(MessageCodec.frameBytes(message));
        MessageCodec.encode(message, frame);
        return frame.array();
    }
}
