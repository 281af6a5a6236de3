package lockstep.transport.postgres.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBufUtil;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import lockstep.security.Security;
import lockstep.security.SecurityConfiguration;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.Keepalive;
import lockstep.transport.api.Message.Reason;
import lockstep.transport.api.Message.Refusal;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.api.Message.ReplicationStarted;
import lockstep.transport.api.Message.StandbyReason;
import lockstep.transport.api.Message.StandbyStatus;
import lockstep.transport.api.Message.StartReplication;
import lockstep.transport.api.Message.WalData;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.netty.EventLoops;
import lockstep.transport.netty.SocketIo;
import lockstep.transport.postgres.protocol.BackendMessage;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationOk;
import lockstep.transport.postgres.protocol.BackendMessage.CommandComplete;
import lockstep.transport.postgres.protocol.BackendMessage.CopyBothResponse;
import lockstep.transport.postgres.protocol.BackendMessage.DataRow;
import lockstep.transport.postgres.protocol.BackendMessage.ErrorResponse;
import lockstep.transport.postgres.protocol.BackendMessage.ParameterStatus;
import lockstep.transport.postgres.protocol.CopyMessage.CopyDone;
import lockstep.transport.postgres.protocol.FrontendMessage.Query;
import lockstep.transport.postgres.protocol.FrontendMessage.Terminate;
import lockstep.transport.postgres.protocol.ReplicationMessage.HotStandbyFeedback;
import lockstep.transport.postgres.protocol.ReplicationMessage.ServerKeepalive;
import lockstep.transport.postgres.protocol.ReplicationMessage.StatusUpdate;
import lockstep.transport.postgres.protocol.ReplicationMessage.WalPiece;
import lockstep.transport.postgres.protocol.StartupPacket.SslRequest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a client reads, byte by byte, and what the core hears of it. The log and the core are the test's. */
final class ClientConnectionTest {
    private static final long PATIENCE_S = 20;
    private static final int PIECE = WalStream.PIECE_BYTES;

    @TempDir
    private Path directory;

    private final ScriptedLog log = new ScriptedLog();
    private final BlockingQueue<Object> heard = new LinkedBlockingQueue<>();
    private EventLoops loops;
    private Listener listener;
    private PgClient client;
    private volatile Session session;

    @BeforeEach
    void listen() throws IOException {
        loops = new EventLoops(SocketIo.best());
        listener = PostgresListener.open(
                loops,
                Endpoint.parse("postgresql://127.0.0.1:0"),
                opened -> {
                    session = opened;
                    return new Core();
                },
                () -> log,
                new Security(directory, Map.of(), (SecurityConfiguration) Proxy.newProxyInstance(
                        SecurityConfiguration.class.getClassLoader(),
                        new Class<?>[] {SecurityConfiguration.class},
                        (proxy, method, arguments) -> method.getDefaultValue())));
        client = new PgClient(listener.endpoint());
    }

    @AfterEach
    void close() throws IOException {
        client.close();
        loops.withdraw();
    }

    private final class Core implements SessionHandler {
        @Override
        public void received(Session from, Message message) {
            heard.add(message);
        }

        @Override
        public void closed(String cause) {
            heard.add(cause);
        }
    }

    private <T> T heard(Class<T> kind) throws InterruptedException {
        return assertInstanceOf(kind, heard.poll(PATIENCE_S, TimeUnit.SECONDS));
    }

    private void begin() throws IOException {
        assertInstanceOf(
                AuthenticationOk.class,
                client.begin("user", "rep", "replication", "true", "application_name", "s1")
                        .get(0));
    }

    /** Begins to stream, and has the core agree. */
    private void stream(String command, long startLsn) throws IOException, InterruptedException {
        client.say(new Query(command));
        assertEquals(startLsn, heard(StartReplication.class).startLsn());
        session.send(new ReplicationStarted(
                ScriptedLog.SYSTEM_ID, 3, 16 << 20, startLsn, ScriptedLog.FLUSHED_LSN, List.of(), ""));
        assertEquals(new CopyBothResponse(), client.hear());
    }

    private static byte[] bytes(int length) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = (byte) (i * 31 + (i >> 8));
        }
        return bytes;
    }

    private void send(long startLsn, byte[] bytes) {
        session.send(new WalData(
                startLsn, startLsn + bytes.length + 500, ScriptedLog.FLUSHED_LSN, 7, ByteBuffer.wrap(bytes)));
    }

    private void assertPiece(long startLsn, long endLsn, byte[] bytes) throws IOException {
        WalPiece piece = assertInstanceOf(WalPiece.class, client.hearCopied());
        assertEquals(startLsn, piece.startLsn());
        assertEquals(endLsn, piece.endLsn());
        assertArrayEquals(bytes, ByteBufUtil.getBytes(piece.wal()));
    }

    private static List<String> row(List<BackendMessage> answer) {
        return assertInstanceOf(DataRow.class, answer.get(1)).values();
    }

    @Test
    void aClientIsToldWhatPgReceivewalWantsToKnow() throws IOException {
        List<BackendMessage> said = client.begin("user", "rep", "replication", "1");
        assertTrue(said.contains(new ParameterStatus("integer_datetimes", "on")), said::toString);
        assertTrue(said.contains(new ParameterStatus("server_version", "15.0 (Lockstep)")), said::toString);
        assertEquals(
                Arrays.asList(Long.toUnsignedString(ScriptedLog.SYSTEM_ID), "3", "17/A0", null),
                row(client.ask("IDENTIFY_SYSTEM")));
        assertEquals(List.of("16MB"), row(client.ask("SHOW wal_segment_size")));
        assertEquals("42704", client.askWrongly("SHOW work_mem").sqlState());
    }

    @Test
    void theHistoryOfEachTimelineIsThatOfItsAncestors() throws IOException {
        begin();
        assertEquals(List.of("00000002.history", "1\t0/15000000\tfirst\n"), row(client.ask("TIMELINE_HISTORY 2")));
        assertEquals(
                List.of("00000003.history", "1\t0/15000000\tfirst\n\n2\t0/16000010\tsecond\n"),
                row(client.ask("TIMELINE_HISTORY 3")));
        assertEquals("58P01", client.askWrongly("TIMELINE_HISTORY 1").sqlState());
    }

    @Test
    void slotsAreMadeReadAndDroppedAndATemporaryOneEndsWithItsConnection() throws Exception {
        begin();
        client.ask("CREATE_REPLICATION_SLOT \"a\" PHYSICAL RESERVE_WAL");
        client.ask("CREATE_REPLICATION_SLOT \"t\" TEMPORARY PHYSICAL");
        assertEquals(List.of("physical", "0/16000010", "3"), row(client.ask("READ_REPLICATION_SLOT a")));
        assertEquals(Arrays.asList("physical", null, null), row(client.ask("READ_REPLICATION_SLOT t")));
        assertEquals(Arrays.asList(null, null, null), row(client.ask("READ_REPLICATION_SLOT x")));
        assertEquals(
                "42710", client.askWrongly("CREATE_REPLICATION_SLOT a PHYSICAL").sqlState());
        assertEquals("42704", client.askWrongly("DROP_REPLICATION_SLOT x").sqlState());
        client.say(new Terminate());
        assertNull(client.hear());
        loops.withdraw();
        assertEquals(Map.of("a", ScriptedLog.THIRD_TIMELINE_LSN), log.slots);
    }

    @Test
    void walComesInPiecesThatEndAtPageEndsAndPositionsGoBack() throws Exception {
        begin();
        long startLsn = ScriptedLog.THIRD_TIMELINE_LSN & -PIECE;
        stream("START_REPLICATION SLOT \"sl\" 0/16000000 TIMELINE 3", startLsn);
        byte[] wal = bytes(2 * PIECE + 100);
        send(startLsn, wal);
        assertPiece(startLsn, ScriptedLog.FLUSHED_LSN, Arrays.copyOf(wal, PIECE));
        assertPiece(startLsn + PIECE, ScriptedLog.FLUSHED_LSN, Arrays.copyOfRange(wal, PIECE, 2 * PIECE));
        assertPiece(startLsn + 2 * PIECE, ScriptedLog.FLUSHED_LSN, Arrays.copyOfRange(wal, 2 * PIECE, wal.length));
        session.send(new Keepalive(1, 2, 3, true));
        assertEquals(new ServerKeepalive(2, 3, true), client.hearCopied());
        client.say(new HotStandbyFeedback(1, 2, 3, 4, 5));
        client.say(new StatusUpdate(3, 5, 1, 9, true));
        assertEquals(new StandbyStatus(3, 5, 1, 9, true), heard(StandbyStatus.class));
        client.say(new CopyDone());
        assertEquals(Reason.LEAVING, heard(StandbyReason.class).reason());
        heard(String.class);
        assertEquals(
                List.of(
                        new CopyDone(),
                        new CommandComplete("START_STREAMING"),
                        new CommandComplete("START_REPLICATION")),
                client.answer());
    }

    @Test
    void anOldTimelineEndsWhereTheNextBeganAndTheConnectionStays() throws Exception {
        begin();
        long startLsn = ScriptedLog.THIRD_TIMELINE_LSN - 16;
        stream("START_REPLICATION 0/16000000 TIMELINE 2", startLsn);
        send(startLsn, bytes(100));
        assertPiece(startLsn, ScriptedLog.THIRD_TIMELINE_LSN, bytes(16));
        assertEquals(new CopyDone(), client.hear());
        heard(String.class);
        client.say(new StatusUpdate(1, 1, 1, 1, false)); // was on its way
        client.say(new CopyDone());
        List<BackendMessage> answer = client.answer();
        assertEquals(List.of("3", "0/16000010"), row(answer));
        assertEquals(
                List.of(new CommandComplete("START_STREAMING"), new CommandComplete("START_REPLICATION")),
                answer.subList(2, 4));
        stream("START_REPLICATION 0/16000000 TIMELINE 3", startLsn);
    }

    @Test
    void nothingIsCopiedOfATimelineFromItsVeryEndOn() throws IOException {
        begin();
        assertEquals(List.of("2", "0/15000000"), row(client.ask("START_REPLICATION 0/15000000 TIMELINE 1")));
    }

    @Test
    void whatIsNotInTheHistoryIsRefusedInPostgresqlsWords() throws IOException {
        begin();
        assertEquals(
                "requested timeline 4 is not in this server's history",
                client.askWrongly("START_REPLICATION 0/1000000 TIMELINE 4").message());
        assertEquals(
                "This server's history forked from timeline 1 at 0/15000000.",
                client.askWrongly("START_REPLICATION 0/15000001 TIMELINE 1").detail());
        assertEquals(
                "requested starting point 18/0 is ahead of the WAL flush position of this server 17/A0",
                client.askWrongly("START_REPLICATION 18/0").message());
    }

    @Test
    void aRefusalOfTheCoreIsAnErrorAndTheConnectionStays() throws Exception {
        begin();
        client.say(new Query("START_REPLICATION 0/16000000"));
        heard(StartReplication.class);
        session.send(new Refusal(RefusalCode.WAL_REMOVED, "gone"));
        session.close("refused");
        ErrorResponse error =
                assertInstanceOf(ErrorResponse.class, client.answer().get(0));
        assertEquals("58P01", error.report().sqlState());
        assertEquals(
                "requested WAL segment 000000030000000000000016 has already been removed",
                error.report().message());
        assertEquals(List.of("16MB"), row(client.ask("SHOW wal_segment_size")));
    }

    @Test
    void aServerThatShutsDownEndsTheCopyAsPostgresqlDoes() throws Exception {
        begin();
        stream("START_REPLICATION 0/16000000", 0x1600_0000L);
        session.send(new Refusal(RefusalCode.SHUTTING_DOWN, "bye"));
        session.close("bye");
        assertEquals(new CommandComplete("COPY 0"), client.hear());
        assertNull(client.hear());
    }

    @Test
    void withdrawalEndsAStreamAndTellsBothSides() throws Exception {
        begin();
        stream("START_REPLICATION 0/16000000", 0x1600_0000L);
        loops.withdraw();
        assertEquals(EventLoops.WITHDRAWN, heard(String.class));
        assertEquals(
                "57P01",
                assertInstanceOf(ErrorResponse.class, client.hear()).report().sqlState());
        assertNull(client.hear());
    }

    @Test
    void withoutACertificateEncryptionIsDeclined() throws IOException {
        client.say(new SslRequest());
        assertEquals('N', client.hearByte());
        begin();
    }

    @Test
    void whoRunsSqlIsToldWhatThisServerIs() throws IOException {
        ErrorResponse error = assertInstanceOf(
                ErrorResponse.class, client.begin("user", "rep").get(0));
        assertEquals("FATAL", error.report().severity());
        assertTrue(error.report().hint().contains("replication=true"));
        assertNull(client.hear());
    }

    @Test
    void whomNoRuleLetsInIsToldThatAndGetsNothing() throws IOException {
        Files.writeString(directory.resolve("access.conf"), "postgresql s2 all trust\n");
        List<BackendMessage> said = client.begin("user", "rep", "replication", "true", "application_name", "s1");
        assertEquals(1, said.size(), said::toString);
        assertEquals("28000", ((ErrorResponse) said.get(0)).report().sqlState());
    }
}
