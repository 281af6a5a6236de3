package lockstep.transport.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Message;
import lockstep.transport.api.MessageCodec;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What {@link Transport} promises, whoever implements it. */
@Timeout(60)
abstract class TransportContract {
    private static final int PIECE_BYTES = 64 << 10;
    private static final int MAX_HELD_PIECES = 4096;

    Transport server;
    Transport client;
    Listener listener;

    /** The server's handlers, in the order their sessions came. */
    final BlockingQueue<RecordingHandler> accepted = new LinkedBlockingQueue<>();

    abstract Transport create();

    abstract void withdraw(Transport transport);

    /** Returns an endpoint where one can listen. */
    abstract Endpoint anywhere();

    /** Returns an endpoint of the transport where nobody listens. */
    abstract Endpoint nowhere() throws Exception;

    @BeforeEach
    void listen() throws Exception {
        server = create();
        client = create();
        listener = server.listen(anywhere(), this::accept);
    }

    @AfterEach
    void end() {
        withdraw(client);
        withdraw(server);
    }

    SessionHandler accept(Session session) {
        var handler = new RecordingHandler();
        handler.session.complete(session);
        accepted.add(handler);
        return handler;
    }

    RecordingHandler accepted() throws InterruptedException {
        return accepted.poll(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
    }

    RecordingHandler connect() throws TransportException {
        var handler = new RecordingHandler();
        handler.session.complete(client.connect(listener.endpoint(), handler));
        return handler;
    }

    static Message.WalData wal(long startLsn, int bytes) {
        var data = new byte[bytes];
        new Random(startLsn).nextBytes(data);
        return new Message.WalData(startLsn, startLsn + bytes, startLsn, 1, ByteBuffer.wrap(data));
    }

    @Test
    void messagesOfAllSizesArriveWholeAndInOrderBothWays() throws Exception {
        var there = connect();
        var here = accepted();
        var sizes = new Random(1);
        var sent = new ArrayList<Message>();
        for (int i = 0; i < 300; i++) {
            int bytes = i % 50 == 7 ? MessageCodec.MAX_DATA_BYTES : sizes.nextInt(i % 3 == 0 ? 100_000 : 200);
            sent.add(wal(i, bytes));
        }
        for (Message message : sent) {
            there.session().send(message);
            here.session().send(message);
        }
        for (Message message : sent) {
            assertEquals(message, here.next());
            assertEquals(message, there.next());
        }
        assertTrue(here.batches.get() > 0);
    }

    @Test
    void theBufferMayBeReusedOnceSendHasReturned() throws Exception {
        var there = connect();
        var here = accepted();
        var buffer = ByteBuffer.allocateDirect(1000);
        for (int i = 0; i < 1000; i++) {
            buffer.putInt(0, i);
            there.session().send(new Message.WalData(i, 0, 0, 0, buffer));
        }
        for (int i = 0; i < 1000; i++) {
            assertEquals(i, ((Message.WalData) here.next()).bytes().getInt(0));
        }
        assertEquals(1000, buffer.remaining());
    }

    @Test
    void aHandlerMayAnswerAtOnce() throws Exception {
        var echo = server.listen(anywhere(), session -> new RecordingHandler() {
            @Override
            public void received(Session from, Message message) {
                from.send(message);
            }
        });
        var there = new RecordingHandler();
        var session = client.connect(echo.endpoint(), there);
        for (int i = 0; i < 100; i++) {
            session.send(new Message.BackupEnded(i));
            assertEquals(new Message.BackupEnded(i), there.next());
        }
    }

    @Test
    void everyBatchOfMessagesIsEnded() throws Exception {
        var there = connect();
        var here = accepted();
        there.session().send(new Message.BackupEnded(1));
        here.next();
        there.session().send(new Message.BackupEnded(2));
        here.next();
        there.session().close("done");
        here.cause();
        assertTrue(here.batches.get() >= 1 && here.batches.get() <= 2, here.batches + " batches");
    }

    @Test
    void aHandlerThatBlocksPushesBackAndStopsOnlyItsOwnSession() throws Exception {
        var slow = connect();
        var slowHere = accepted().block();
        var sender = slow.session();
        int sent = 0;
        while (sender.isWritable()) {
            assertTrue(sent < MAX_HELD_PIECES, "still writable after " + sent + " pieces that nobody took");
            sender.send(wal(sent++, PIECE_BYTES));
        }
        assertEquals(0, slow.writable.availablePermits());

        var other = connect();
        var otherHere = accepted();
        for (int i = 0; i < 100; i++) {
            other.session().send(wal(i, PIECE_BYTES));
            assertEquals(wal(i, PIECE_BYTES), otherHere.next());
        }
        sender.send(new Message.BackupEnded(7)); // a small one may always be sent

        slowHere.unblock();
        assertTrue(slow.writable.tryAcquire(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS));
        assertTrue(sender.isWritable());
        for (int i = 0; i < sent; i++) {
            assertEquals(wal(i, PIECE_BYTES), slowHere.next());
        }
        assertEquals(new Message.BackupEnded(7), slowHere.next());
    }

    @Test
    void aSenderThatWaitsForWritableSendsAllThereIs() throws Exception {
        int pieces = 2000;
        var there = new RecordingHandler();
        var session = client.connect(listener.endpoint(), there);
        var here = accepted();
        for (int i = 0; i < pieces; i++) {
            while (!session.isWritable()) {
                assertTrue(there.writable.tryAcquire(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS));
            }
            session.send(wal(i, PIECE_BYTES));
            if (i % 10 == 0) {
                here.messages.clear(); // the data is not the point here
            }
        }
        session.send(new Message.BackupEnded(pieces));
        Message last = here.next();
        while (last instanceof Message.WalData) {
            last = here.next();
        }
        assertEquals(new Message.BackupEnded(pieces), last);
    }

    @Test
    void whatWasSentBeforeClosingIsDelivered() throws Exception {
        var there = connect();
        var here = accepted();
        for (int i = 0; i < 50; i++) {
            here.session().send(wal(i, 10_000)); // unread by the closing side, and still no harm
        }
        for (int i = 0; i < 50; i++) {
            there.session().send(wal(i, 10_000));
        }
        there.session().send(new Message.Refusal(Message.RefusalCode.PROTOCOL, "no"));
        there.session().close("enough said");
        there.session().close("second cause");
        there.session().send(new Message.BackupEnded(1));

        for (int i = 0; i < 50; i++) {
            assertEquals(wal(i, 10_000), here.next());
        }
        assertEquals(new Message.Refusal(Message.RefusalCode.PROTOCOL, "no"), here.next());
        here.cause();
        assertEquals("enough said", there.cause());
        assertTrue(here.messages.isEmpty());
        assertFalse(there.session().isWritable());
        there.session().send(new Message.BackupEnded(1)); // ignored
        there.session().close("late");
    }

    @Test
    void theServerMayCloseToo() throws Exception {
        var there = connect();
        var here = accepted();
        here.session().send(new Message.BackupEnded(1));
        here.session().close("server has had enough");
        assertEquals(new Message.BackupEnded(1), there.next());
        assertFalse(there.cause().isBlank());
        assertEquals("server has had enough", here.cause());
    }

    @Test
    void anAcceptorRefusesWithAMessage() throws Exception {
        var handlers = new LinkedBlockingQueue<RecordingHandler>();
        var door = server.listen(anywhere(), session -> {
            session.send(new Message.Refusal(Message.RefusalCode.NOT_READY, "recovering"));
            session.close("not ready");
            var handler = new RecordingHandler();
            handlers.add(handler);
            return handler;
        });
        var there = new RecordingHandler();
        client.connect(door.endpoint(), there);
        assertEquals(new Message.Refusal(Message.RefusalCode.NOT_READY, "recovering"), there.next());
        there.cause();
        assertEquals("not ready", handlers.take().cause());
    }

    @Test
    void aPeerThatTakesNothingDoesNotHoldUpClosing() throws Exception {
        var there = connect();
        var here = accepted().block();
        int sent = 0;
        while (there.session().isWritable()) {
            there.session().send(wal(sent++, PIECE_BYTES));
        }
        there.session().close("no more");
        assertEquals("no more", there.cause());
        here.unblock();
        here.cause();
    }

    @Test
    void sendingAndClosingAtTheSameTimeEndsCleanly() throws Exception {
        for (int round = 0; round < 50; round++) {
            var there = connect();
            var here = accepted();
            var go = new CountDownLatch(1);
            var sending = CompletableFuture.runAsync(() -> {
                go.countDown();
                for (int i = 0; i < 500; i++) {
                    there.session.join().send(wal(i, 500));
                }
            });
            go.await();
            (round % 2 == 0 ? there : here).session().close("round " + round);
            sending.get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
            there.cause();
            here.cause();
            int expected = 0;
            for (Message message : here.messages) {
                assertEquals(wal(expected++, 500), message);
            }
        }
    }

    @Test
    void aHandlerThatThrowsLosesItsSessionAndNoOther() throws Exception {
        var closed = new CompletableFuture<String>();
        var door = server.listen(anywhere(), session -> new SessionHandler() {
            @Override
            public void received(Session from, Message message) {
                throw new IllegalStateException("told to");
            }

            @Override
            public void closed(String cause) {
                closed.complete(cause);
            }
        });
        var other = connect();
        var there = new RecordingHandler();
        client.connect(door.endpoint(), there).send(new Message.BackupEnded(1));
        there.cause();
        assertTrue(closed.get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS).contains("told to"));
        other.session().send(new Message.BackupEnded(2));
        assertEquals(new Message.BackupEnded(2), accepted().next());
    }

    @Test
    void twoHundredSessionsInARowWork() throws Exception {
        for (int i = 0; i < 200; i++) {
            var there = connect();
            var here = accepted();
            there.session().send(new Message.BackupEnded(i));
            assertEquals(new Message.BackupEnded(i), here.next());
            (i % 2 == 0 ? there : here).session().close("next");
            there.cause();
            here.cause();
        }
    }

    @Test
    void aClosedListenerLetsNobodyInAndKeepsItsSessions() throws Exception {
        var there = connect();
        var here = accepted();
        var endpoint = listener.endpoint();
        listener.close();
        listener.close();
        assertThrows(TransportException.class, () -> client.connect(endpoint, new RecordingHandler()));
        there.session().send(new Message.BackupEnded(1));
        assertEquals(new Message.BackupEnded(1), here.next());

        listener = server.listen(endpoint, this::accept);
        assertEquals(endpoint, listener.endpoint());
        connect();
        accepted();
    }

    @Test
    void whoListensWhereSomebodyListensIsToldWhereAndWhy() {
        var e = assertThrows(TransportException.class, () -> client.listen(listener.endpoint(), this::accept));
        assertTrue(e.getMessage().contains(listener.endpoint().toString()), e.getMessage());
    }

    @Test
    void whoFindsNobodyIsToldWhereAndHearsNothingMore() throws Exception {
        var handler = new RecordingHandler();
        var nowhere = nowhere();
        var e = assertThrows(TransportException.class, () -> client.connect(nowhere, handler));
        assertTrue(e.getMessage().contains(nowhere.toString()), e.getMessage());
        withdraw(client);
        assertFalse(handler.closed.isDone());
    }

    @Test
    void withdrawalEndsListenersSessionsAndThreads() throws Exception {
        withdraw(client);
        withdraw(server);
        var before = threadNames();
        server = create();
        client = create();
        listener = server.listen(anywhere(), this::accept);
        var there = List.of(connect(), connect(), connect());
        var here = List.of(accepted(), accepted(), accepted());
        here.get(0).session().send(new Message.BackupEnded(1));
        var endpoint = listener.endpoint();

        withdraw(server);
        for (var handler : here) {
            assertEquals("transport withdrawn", handler.closed.getNow("still open"));
        }
        assertEquals(new Message.BackupEnded(1), there.get(0).next());
        for (var handler : there) {
            handler.cause();
        }
        assertThrows(TransportException.class, () -> client.connect(endpoint, new RecordingHandler()));
        assertThrows(TransportException.class, () -> server.listen(anywhere(), this::accept));
        withdraw(client);
        assertEquals(before, threadNames());
    }

    @Test
    void withdrawalUnderLoadEndsThreads() throws Exception {
        withdraw(client);
        withdraw(server);
        var before = threadNames();
        for (int round = 0; round < 10; round++) {
            server = create();
            client = create();
            listener = server.listen(anywhere(), this::accept);
            var there = connect();
            var here = accepted();
            var sender = new Thread(() -> {
                while (!there.closed.isDone()) {
                    if (there.session.join().isWritable()) {
                        there.session.join().send(wal(1, 5000));
                    }
                    here.messages.clear();
                }
            });
            sender.start();
            here.next();
            withdraw(round % 2 == 0 ? client : server);
            sender.join();
            withdraw(client);
            withdraw(server);
            here.cause();
            there.cause();
        }
        assertEquals(before, threadNames());
    }

    static Set<String> threadNames() {
        var names = new TreeSet<String>();
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            if (thread.getThreadGroup() != null
                    && !thread.getThreadGroup().getName().equals("system")) {
                names.add(thread.getName());
            }
        }
        names.removeIf(name -> name.startsWith("ForkJoinPool") || name.startsWith("junit"));
        return names;
    }
}
