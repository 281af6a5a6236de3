package lockstep.transport.postgres.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.io.DataInputStream;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import lockstep.security.Security;
import lockstep.security.SecurityConfiguration;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.ReplicationStarted;
import lockstep.transport.api.Message.StandbyStatus;
import lockstep.transport.api.Message.StartReplication;
import lockstep.transport.api.Message.WalData;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Term;
import lockstep.transport.api.TransportException;
import lockstep.transport.netty.EventLoops;
import lockstep.transport.netty.SocketIo;
import lockstep.transport.postgres.protocol.BackendMessage;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationOk;
import lockstep.transport.postgres.protocol.BackendMessage.Column;
import lockstep.transport.postgres.protocol.BackendMessage.CommandComplete;
import lockstep.transport.postgres.protocol.BackendMessage.CopyBothResponse;
import lockstep.transport.postgres.protocol.BackendMessage.DataRow;
import lockstep.transport.postgres.protocol.BackendMessage.EncryptionAnswer;
import lockstep.transport.postgres.protocol.BackendMessage.ErrorResponse;
import lockstep.transport.postgres.protocol.BackendMessage.ParameterStatus;
import lockstep.transport.postgres.protocol.BackendMessage.ReadyForQuery;
import lockstep.transport.postgres.protocol.BackendMessage.RowDescription;
import lockstep.transport.postgres.protocol.CopyMessage.CopyData;
import lockstep.transport.postgres.protocol.CopyMessage.CopyDone;
import lockstep.transport.postgres.protocol.FrontendMessage;
import lockstep.transport.postgres.protocol.FrontendMessage.Query;
import lockstep.transport.postgres.protocol.FrontendMessage.Terminate;
import lockstep.transport.postgres.protocol.ReplicationMessage;
import lockstep.transport.postgres.protocol.ReplicationMessage.StatusUpdate;
import lockstep.transport.postgres.protocol.ReplicationMessage.WalPiece;
import lockstep.transport.postgres.protocol.Report;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The client against a server that does what real ones do seldom. */
class PostgresSessionTest {
    private static final long PATIENCE_S = 60;
    private static final long SYSTEM_ID = 7;
    private static final long START_LSN = 0x1000028;

    private final EventLoops loops = new EventLoops(SocketIo.best());
    private final ServerSocket listening;
    private final LinkedBlockingQueue<Object> heard = new LinkedBlockingQueue<>();
    private final CompletableFuture<String> closed = new CompletableFuture<>();

    @TempDir
    Path home;

    PostgresSessionTest() throws IOException {
        listening = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        listening.setSoTimeout((int) TimeUnit.SECONDS.toMillis(PATIENCE_S));
    }

    @AfterEach
    void end() throws IOException {
        loops.withdraw();
        listening.close();
    }

    /** The server's end of a connection. */
    private static final class Server implements AutoCloseable {
        private final Socket socket;
        private final DataInputStream in;

        Server(Socket socket) throws IOException {
            this.socket = socket;
            socket.setSoTimeout((int) TimeUnit.SECONDS.toMillis(PATIENCE_S));
            in = new DataInputStream(socket.getInputStream());
        }

        void say(BackendMessage... messages) throws IOException {
            ByteBuf bytes = Unpooled.buffer();
            for (BackendMessage message : messages) {
                message.encode(bytes);
            }
            socket.getOutputStream().write(ByteBufUtil.getBytes(bytes));
        }

        void say(ReplicationMessage message) throws IOException {
            ByteBuf bytes = Unpooled.buffer();
            message.encode(bytes);
            socket.getOutputStream().write(ByteBufUtil.getBytes(bytes));
        }

        void skipStartup() throws IOException {
            in.readNBytes(in.readInt() - Integer.BYTES);
        }

        /** Returns what the client says next; null when it has closed. */
        FrontendMessage hear() throws IOException {
            int type = in.read();
            return type < 0
                    ? null
                    : FrontendMessage.decode(
                            (byte) type, Unpooled.wrappedBuffer(in.readNBytes(in.readInt() - Integer.BYTES)));
        }

        /** Reads only the first byte of what comes: closing resets the connection then. */
        void leaveUnread() throws IOException {
            in.readByte();
        }

        StatusUpdate hearStatus() throws IOException {
            CopyData data = assertInstanceOf(CopyData.class, hear());
            return assertInstanceOf(StatusUpdate.class, ReplicationMessage.decode(data.content()));
        }

        void login() throws IOException {
            skipStartup();
            say(new AuthenticationOk(), new ParameterStatus("server_version", "15.18"), new ReadyForQuery());
        }

        void answer(String command, BackendMessage... messages) throws IOException {
            String text = assertInstanceOf(Query.class, hear()).text();
            assertTrue(text.startsWith(command), text);
            say(messages);
        }

        /** Agrees to stream. */
        void beginCopy() throws IOException {
            answer(
                    "IDENTIFY_SYSTEM",
                    new RowDescription(
                            List.of(Column.text("systemid"), Column.int4("timeline"), Column.text("xlogpos"))),
                    new DataRow(List.of("" + SYSTEM_ID, "1", "0/1000028")),
                    new CommandComplete("IDENTIFY_SYSTEM"),
                    new ReadyForQuery());
            answer("SHOW", new DataRow(List.of("16MB")), new CommandComplete("SHOW"), new ReadyForQuery());
            answer("START_REPLICATION PHYSICAL 0/1000028 TIMELINE 1", new CopyBothResponse());
            assertTrue(hearStatus().replyRequested());
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }

    /** Connects to a server that does as the script says. */
    private Session connect(String query, Consumer<Socket> script) throws IOException {
        Thread server = new Thread(() -> {
            try {
                script.accept(listening.accept());
            } catch (IOException e) {
                heard.add(e);
            }
        });
        server.setDaemon(true);
        server.start();
        SecurityConfiguration defaults = (SecurityConfiguration) Proxy.newProxyInstance(
                SecurityConfiguration.class.getClassLoader(),
                new Class<?>[] {SecurityConfiguration.class},
                (proxy, method, arguments) -> method.getDefaultValue());
        return new PostgresClient(loops, new Security(home, Map.of(), defaults), Map.of())
                .connect(
                        Endpoint.parse("postgresql://u@127.0.0.1:" + listening.getLocalPort() + "/" + query),
                        new PostgresClient.Self("s1", false),
                        new SessionHandler() {
                            @Override
                            public void received(Session session, Message message) {
                                heard.add(message instanceof WalData data ? copy(data) : message);
                            }

                            @Override
                            public void closed(String cause) {
                                closed.complete(cause);
                            }
                        });
    }

    private static WalPiece copy(WalData data) {
        return new WalPiece(data.startLsn(), data.endLsn(), data.sentAtMicros(), Unpooled.copiedBuffer(data.bytes()));
    }

    private <T> T heard(Class<T> kind) throws InterruptedException {
        return assertInstanceOf(kind, heard.poll(PATIENCE_S, TimeUnit.SECONDS));
    }

    /** Has the log sent by a server that logs the client in, and is then given to whoever takes it. */
    private Server stream(CompletableFuture<Session> opened) throws Exception {
        CompletableFuture<Socket> accepted = new CompletableFuture<>();
        Session session = connect("?sslmode=disable", socket -> {
            try {
                new Server(socket).login();
                accepted.complete(socket);
            } catch (IOException e) {
                accepted.completeExceptionally(e);
            }
        });
        opened.complete(session);
        session.send(new StartReplication("s1", "", SYSTEM_ID, 1, 1, START_LSN, new Term(1, 1)));
        Server server = new Server(accepted.get(PATIENCE_S, TimeUnit.SECONDS));
        server.beginCopy();
        return server;
    }

    @Test
    void piecesOfAnySizeComeWholeAndPositionsGoBack() throws Exception {
        CompletableFuture<Session> opened = new CompletableFuture<>();
        try (Server server = stream(opened)) {
            Random random = new Random(1);
            long lsn = START_LSN;
            for (int bytes : new int[] {1, 100, 128 << 10, (1 << 20) - 30, 3 << 20, 7, 1 << 20, 2}) {
                byte[] wal = new byte[bytes];
                random.nextBytes(wal);
                WalPiece piece = new WalPiece(lsn, lsn + bytes, 1, Unpooled.wrappedBuffer(wal));
                server.say(piece);
                if (lsn == START_LSN) {
                    assertEquals(START_LSN, heard(ReplicationStarted.class).startLsn());
                }
                assertEquals(piece, heard(WalPiece.class));
                lsn += bytes;
            }
            opened.join().send(new StandbyStatus(lsn, lsn - 1, 0, 5, false));
            assertEquals(new StatusUpdate(lsn, lsn - 1, 0, 5, false), server.hearStatus());
        }
        assertTrue(closed.get(PATIENCE_S, TimeUnit.SECONDS).contains("closed the connection"));
    }

    @Test
    void aCopyEndsOnBothSidesBeforeTheClientLeaves() throws Exception {
        CompletableFuture<Session> opened = new CompletableFuture<>();
        try (Server server = stream(opened)) {
            opened.join().close("done");
            assertInstanceOf(CopyDone.class, server.hear());
            server.say(new WalPiece(START_LSN, START_LSN + 1, 1, Unpooled.wrappedBuffer(new byte[1])));
            server.say(new CopyDone(), new CommandComplete("START_STREAMING"), new ReadyForQuery());
            assertInstanceOf(Terminate.class, server.hear());
            assertEquals(null, server.hear());
        }
        assertEquals("done", closed.get(PATIENCE_S, TimeUnit.SECONDS));
        assertTrue(heard.isEmpty(), heard::toString);
    }

    @Test
    void aServerThatFallsSilentIsLeftAllTheSame() throws Exception {
        CompletableFuture<Session> opened = new CompletableFuture<>();
        try (Server server = stream(opened)) {
            opened.join().close("done");
            assertInstanceOf(CopyDone.class, server.hear());
            assertEquals("done", closed.get(PATIENCE_S, TimeUnit.SECONDS));
            assertEquals(null, server.hear());
        }
    }

    @Test
    void whatEndsTheServerIsTold() throws Exception {
        try (Server server = stream(new CompletableFuture<>())) {
            server.say(new ErrorResponse(Report.fatal("57P01", "terminating connection")));
            assertTrue(closed.get(PATIENCE_S, TimeUnit.SECONDS).contains("terminating connection"));
        }
    }

    @Test
    void aServerThatIsShutDownSaysSo() throws Exception {
        try (Server server = stream(new CompletableFuture<>())) {
            server.say(new CommandComplete("COPY 0"));
        }
        assertTrue(closed.get(PATIENCE_S, TimeUnit.SECONDS).contains("shut down"));
    }

    @Test
    void theReasonOfAServerThatResetsTheConnectionCounts() throws Exception {
        CompletableFuture<Session> opened = new CompletableFuture<>();
        try (Server server = stream(opened)) {
            server.say(new WalPiece(START_LSN, START_LSN + 1, 1, Unpooled.wrappedBuffer(new byte[1])));
            heard(ReplicationStarted.class);
            heard(WalPiece.class);
            opened.join().send(new StandbyStatus(START_LSN, START_LSN, 0, 5, false));
            server.leaveUnread();
            server.say(new CommandComplete("COPY 0"));
        }
        String cause = closed.get(PATIENCE_S, TimeUnit.SECONDS);
        assertTrue(cause.contains("shut down"), cause);
    }

    /** Returns why a client that insists on TLS goes no further when a server answers its request for it like that. */
    private String refusal(BackendMessage... answer) {
        return assertThrows(
                        TransportException.class,
                        () -> connect("?sslmode=require", socket -> {
                            try {
                                Server server = new Server(socket);
                                server.skipStartup();
                                server.say(answer);
                            } catch (IOException e) {
                                heard.add(e);
                            }
                        }))
                .getMessage();
    }

    @Test
    void bytesInClearBehindTheAnswerToARequestForTlsAreNotRead() {
        String message = refusal(EncryptionAnswer.YES, new AuthenticationOk());
        assertTrue(message.contains("in clear"), message);
    }

    @Test
    void aServerThatHasNoTlsWillDoOnlyWhereItMay() {
        String message = refusal(EncryptionAnswer.NO);
        assertTrue(message.contains("no TLS"), message);
    }
}
