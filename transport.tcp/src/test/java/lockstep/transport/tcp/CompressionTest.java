package lockstep.transport.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import lockstep.security.Certificates;
import lockstep.security.Security;
import lockstep.security.SecuritySettings;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Message;
import lockstep.transport.api.MessageCodec;
import lockstep.transport.api.Peer;
import lockstep.transport.api.TransportException;
import lockstep.transport.netty.SocketIo;
import lockstep.transport.tck.Messages;
import lockstep.transport.tck.RecordingHandler;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How two sides agree on compression, and what goes over the wire then. */
class CompressionTest {
    private static final int OPEN_MS = 10_000;
    private static final int DATA_BYTES = 100_000;
    private static final byte[] GREETING = HexFormat.of().parseHex("4C4F434B53544550" + "00000002");

    @TempDir
    Path folder;

    private final List<TcpTransport> transports = new ArrayList<>();
    private final LinkedBlockingQueue<RecordingHandler> accepted = new LinkedBlockingQueue<>();

    @AfterEach
    void end() {
        transports.forEach(TcpTransport::close);
    }

    private TcpTransport transport(Map<String, Object> settings) {
        var security = new Security(folder, Map.of(), SecuritySettings.except(settings));
        transports.add(new TcpTransport(SocketIo.best(), OPEN_MS, security));
        return transports.get(transports.size() - 1);
    }

    private int listen(String query, Map<String, Object> settings) throws TransportException {
        var endpoint = Endpoint.parse("tcp://127.0.0.1:0" + query);
        return transport(settings)
                .listen(endpoint, session -> {
                    var handler = new RecordingHandler();
                    handler.on(session);
                    accepted.add(handler);
                    return handler;
                })
                .endpoint()
                .uri()
                .getPort();
    }

    private RecordingHandler connect(int port, String query, Map<String, Object> settings) throws TransportException {
        var handler = new RecordingHandler();
        handler.on(transport(settings).connect(Endpoint.parse("tcp://127.0.0.1:" + port + query), handler));
        return handler;
    }

    private RecordingHandler arrived() throws InterruptedException {
        return accepted.poll(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
    }

    private static String agreed(RecordingHandler side) throws Exception {
        return side.session().peer().facts().getOrDefault(Peer.COMPRESSION, "nothing");
    }

    @ParameterizedTest
    @CsvSource({
        "'', ?compression=lz4, lz4",
        "'', ?compression=zstd, zstd",
        "'', ?compression=off, nothing",
        "'', '', nothing",
        "?compression=off, ?compression=lz4, nothing",
        "?compression=lz4, ?compression=lz4, lz4",
        "?compression=lz4, ?compression=zstd, nothing",
        "?compression=zstd, '', nothing"
    })
    void bothSidesMustAgreeAndBothSayOnWhat(String listening, String connecting, String agreed) throws Exception {
        var there = connect(listen(listening, Map.of()), connecting, Map.of());
        var here = arrived();
        assertEquals(agreed, agreed(there));
        assertEquals(agreed, agreed(here));
        here.session().send(Messages.wal(1, DATA_BYTES));
        here.session().send(Messages.numbered(2));
        assertEquals(Messages.wal(1, DATA_BYTES), there.next());
        assertEquals(Messages.numbered(2), there.next());
        there.session().send(Messages.wal(3, DATA_BYTES));
        assertEquals(Messages.wal(3, DATA_BYTES), here.next());
    }

    @ParameterizedTest
    @CsvSource({"lz4", "zstd"})
    void itWorksInsideTls(String compression) throws Exception {
        new Certificates(folder).sign("server");
        int port = listen("", Map.of("ssl", true, "sslCertFile", "server.crt", "sslKeyFile", "server.key"));
        var there =
                connect(port, "?compression=" + compression, Map.of("sslmode", "verify-full", "sslrootcert", "ca.crt"));
        var here = arrived();
        assertEquals(compression, agreed(here));
        assertEquals("TLSv1.3", here.session().peer().facts().get(Peer.ENCRYPTION));
        here.session().send(Messages.wal(1, DATA_BYTES));
        assertEquals(Messages.wal(1, DATA_BYTES), there.next());
    }

    @Test
    void whatIsNotKnownIsRefusedWithWhatIs() {
        var e = assertThrows(TransportException.class, () -> connect(1, "?compression=gzip", Map.of()));
        assertTrue(
                e.getMessage().contains("the parameter compression=gzip, which is none of off, lz4, zstd"),
                e.getMessage());
    }

    /** Connects by hand, and reads what is said until the session is open. */
    private Socket strangerWho(String asks, int port, boolean isAgreedWith) throws IOException {
        var socket = new Socket(InetAddress.getLoopbackAddress(), port);
        var values = ByteBuffer.allocate(200).put((byte) 1).put((byte) (asks.isEmpty() ? 1 : 2));
        put(values, "name", "raw");
        if (!asks.isEmpty()) {
            put(values, "compression", asks);
        }
        var hello = ByteBuffer.allocate(300).put(GREETING).putShort((short) values.position());
        hello.put(values.flip());
        socket.getOutputStream().write(hello.array(), 0, hello.position());
        var in = new DataInputStream(socket.getInputStream());
        in.skipNBytes(GREETING.length);
        var welcome = new String(in.readNBytes(in.readUnsignedShort()), StandardCharsets.ISO_8859_1);
        assertEquals(isAgreedWith, welcome.contains("compression"), welcome);
        return socket;
    }

    private static void put(ByteBuffer word, String name, String value) {
        word.put((byte) name.length()).put(name.getBytes(StandardCharsets.US_ASCII));
        word.putShort((short) value.length()).put(value.getBytes(StandardCharsets.US_ASCII));
    }

    @Test
    void bulkDataIsSmallOnTheWireAndSmallMessagesAreAsTheyWere() throws Exception {
        try (var socket = strangerWho("lz4", listen("", Map.of()), true)) {
            var here = arrived();
            var small = Messages.numbered(1);
            here.session().send(small);
            here.session().send(new Message.WalData(1, 1 + DATA_BYTES, 1, 1, ByteBuffer.allocate(DATA_BYTES)));
            var in = new DataInputStream(socket.getInputStream());
            var frame = ByteBuffer.wrap(in.readNBytes(MessageCodec.frameBytes(small)));
            assertEquals(small, MessageCodec.decode(frame));
            int bytes = in.readInt();
            assertTrue(bytes < DATA_BYTES / 100, bytes + " bytes");
            assertEquals(MessageCodec.HEADER_BYTES + 32 + DATA_BYTES, in.readInt());
            assertEquals(-1, in.readInt());
        }
    }

    @Test
    void aCompressionOfTheFutureIsNotAgreedTo() throws Exception {
        try (var socket = strangerWho("lz7", listen("", Map.of()), false)) {
            assertTrue(socket.isConnected());
            assertEquals("nothing", agreed(arrived()));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "lz4, 0000000A 7FFFFFFF FFFFFFFF, 'a compressed message says it has 2147483647 bytes, expected 12 to 1048620'",
        "zstd, 7FFFFFFF 00001000 FFFFFFFF, 'a message of 4096 bytes says it is compressed to 2147483647, expected 1 to 4095'",
        "zstd, 00000004 00001000 FFFFFFFF 01020304, 'a compressed message is no Zstandard, or more than it says: Src size is incorrect'",
        "'', 0000000A 00001000 FFFFFFFF, 'message type is 4294967295, expected 1 to 21'"
    })
    void aLieEndsTheSessionAndNamesThePeer(String compression, String lie, String found) throws Exception {
        try (var socket = strangerWho(compression, listen("", Map.of()), !compression.isEmpty())) {
            socket.getOutputStream().write(HexFormat.of().parseHex(lie.replace(" ", "")));
            assertEquals(
                    "message from 127.0.0.1:" + socket.getLocalPort() + ": " + found,
                    arrived().cause());
        }
    }
}
