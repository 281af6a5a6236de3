package lockstep.transports;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import lockstep.io.Clock;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.BackupEnded;
import lockstep.transport.api.Message.WalData;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class GuardTest {
    private static final Endpoint ENDPOINT = Endpoint.parse("vendor://anywhere");
    private static final Endpoint NOWHERE = Endpoint.parse("vendor://nowhere");
    private static final long PATIENCE_S = 60;
    private static final long CALL_MS = 50;
    private static final int HELD_LOOKS = 3;

    private final CompletableFuture<String> panics = new CompletableFuture<>();
    private final Guard guard =
            new Guard(Clock.SYSTEM, (message, where) -> panics.complete(message), CALL_MS, CALL_MS, HELD_LOOKS);
    private final CountDownLatch released = new CountDownLatch(1);
    private final Vendors vendors = new Vendors();
    private final CompletableFuture<String> closed = new CompletableFuture<>();

    /** A transport that does with a message what a test wants. */
    private static final class Vendors implements Transport {
        private volatile Consumer<Message> sends = message -> {};
        private volatile Runnable says = () -> {};
        private volatile Runnable connects = () -> {};
        private volatile Runnable listens = () -> {};
        private volatile Runnable closes = () -> {};
        private volatile Runnable asks = () -> {};
        private final CompletableFuture<String> ownClosed = new CompletableFuture<>();
        private final CountDownLatch listenerClosed = new CountDownLatch(1);
        private volatile boolean isSilentAtTheEnd;
        private volatile SessionHandler handler;
        private volatile Session session;

        @Override
        public String scheme() {
            says.run();
            return "vendor";
        }

        @Override
        public Listener listen(Endpoint endpoint, Acceptor acceptor) throws TransportException {
            if (endpoint.equals(NOWHERE)) {
                throw new TransportException("nobody can listen on " + endpoint);
            }
            listens.run();
            return new Listener() {
                @Override
                public Endpoint endpoint() {
                    return endpoint;
                }

                @Override
                public void close() {
                    closes.run();
                    listenerClosed.countDown();
                }
            };
        }

        @Override
        public Session connect(Endpoint endpoint, SessionHandler by) {
            connects.run();
            handler = by;
            session = new Session() {
                @Override
                public void send(Message message) {
                    sends.accept(message);
                }

                @Override
                public boolean isWritable() {
                    asks.run();
                    return true;
                }

                @Override
                public Peer peer() {
                    return new Peer("anywhere", "", false);
                }

                @Override
                public void close(String cause) {
                    ownClosed.complete(cause);
                    closes.run();
                    if (!isSilentAtTheEnd) {
                        handler.closed(cause);
                    }
                }
            };
            return session;
        }
    }

    private final SessionHandler server = new SessionHandler() {
        @Override
        public void received(Session from, Message message) {}

        @Override
        public void closed(String cause) {
            assertTrue(closed.complete(cause), "told of its end twice");
        }
    };

    @AfterEach
    void end() {
        released.countDown();
        guard.close();
    }

    private Session open(boolean isPumped) throws TransportException {
        return new GuardedTransport(vendors, null, guard, isPumped).connect(ENDPOINT, server);
    }

    private String cause() throws Exception {
        return closed.get(PATIENCE_S, TimeUnit.SECONDS);
    }

    @Test
    void whatSendThrowsEndsTheSessionAndReachesNobody() throws Exception {
        Session session = open(false);
        vendors.sends = message -> {
            throw new IllegalStateException("a defect");
        };
        assertDoesNotThrow(() -> session.send(new BackupEnded(1)));
        assertTrue(cause().contains("a defect"), cause());
        assertFalse(session.isWritable());
    }

    @Test
    void aSendThatDoesNotComeBackIsInterruptedAndLeavesNoInterruptBehind() throws Exception {
        Session session = open(false);
        vendors.isSilentAtTheEnd = true;
        CountDownLatch never = new CountDownLatch(1);
        vendors.sends = message -> {
            try {
                never.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        };
        session.send(new BackupEnded(1));
        assertFalse(Thread.currentThread().isInterrupted());
        assertFalse(panics.isDone(), "it has come back");
        assertTrue(cause().contains("has not come back"), cause());
    }

    @Test
    void aSendThatListensToNobodyAndIsCalledDirectlyStopsTheServerRatherThanHoldIt() throws Exception {
        Session session = open(false);
        vendors.sends = message -> hang();
        Thread writer = new Thread(() -> session.send(new BackupEnded(1)), "wal-writer");
        writer.start();
        String why = panics.get(PATIENCE_S, TimeUnit.SECONDS);
        assertTrue(why.contains("the thread wal-writer does not come back from a transport"), why);
        assertTrue(cause().contains("has not come back"), cause());
        released.countDown();
        writer.join();
    }

    @Test
    void aSendThatListensToNobodyHoldsNobodyThatHandsItSomething() throws Exception {
        Session session = open(true);
        vendors.isSilentAtTheEnd = true;
        vendors.sends = message -> {
            while (!closed.isDone()) {
                LockSupport.parkNanos(1000);
            }
        };
        session.send(new BackupEnded(1));
        session.send(new BackupEnded(2));
        assertTrue(cause().contains("has not come back"), cause());
    }

    @Test
    void whatIsHandedOverArrivesInOrderAsItWas() throws Exception {
        List<Message> sent = new CopyOnWriteArrayList<>();
        vendors.sends = sent::add;
        Session session = open(true);
        ByteBuffer reused = ByteBuffer.allocateDirect(Long.BYTES);
        for (long i = 0; i < 1000; i++) {
            session.send(new WalData(i, 0, 0, 0, reused.putLong(0, i)));
        }
        session.close("the end");
        assertEquals("the end", cause());
        assertEquals(
                LongStream.range(0, 1000).boxed().toList(),
                sent.stream()
                        .map(message -> ((WalData) message).bytes().getLong(0))
                        .toList());
    }

    @Test
    void aSessionThatFloodsTheServerIsClosed() throws Exception {
        open(false);
        while (!closed.isDone()) {
            vendors.handler.received(vendors.session, new BackupEnded(1));
        }
        assertTrue(cause().contains("floods"), cause());
    }

    @Test
    void whatCameWithAReasonIsPassedOn() {
        GuardedTransport transport = new GuardedTransport(vendors, null, guard, false);
        var e = assertThrows(TransportException.class, () -> transport.listen(NOWHERE, session -> server));
        assertEquals("nobody can listen on " + NOWHERE, e.getMessage());
    }

    /** Does not come back before the end of the test, and listens to no interrupt. */
    private void hang() {
        boolean isReleased = false;
        while (!isReleased) {
            try {
                isReleased = released.await(PATIENCE_S, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                // That is the defect.
            }
        }
    }

    private static String hangs(Executable call) {
        String why = assertThrows(IllegalStateException.class, call).getMessage();
        assertTrue(why.contains("has not come back for " + CALL_MS + " ms"), why);
        return why;
    }

    @Test
    void aTransportThatDoesNotSayItsSchemeHoldsNobody() {
        vendors.says = this::hang;
        hangs(() -> new GuardedTransport(vendors, null, guard, false));
    }

    @Test
    void aConnectThatDoesNotComeBackIsGivenUpAndWhatItBringsLaterIsClosed() throws Exception {
        vendors.connects = this::hang;
        GuardedTransport transport = new GuardedTransport(vendors, null, guard, true);
        assertTrue(hangs(() -> transport.connect(ENDPOINT, server)).contains("connect to " + ENDPOINT));
        released.countDown();
        assertEquals("it came too late", vendors.ownClosed.get(PATIENCE_S, TimeUnit.SECONDS));
        assertEquals(List.of(), transport.links());
        assertFalse(closed.isDone(), "its handler has heard of it");
    }

    @Test
    void aListenThatDoesNotComeBackIsGivenUpAndWhatItOpensLaterIsClosed() throws Exception {
        vendors.listens = this::hang;
        GuardedTransport transport = new GuardedTransport(vendors, null, guard, true);
        assertTrue(hangs(() -> transport.listen(ENDPOINT, session -> server)).contains("listen on " + ENDPOINT));
        released.countDown();
        assertTrue(vendors.listenerClosed.await(PATIENCE_S, TimeUnit.SECONDS));
    }

    @Test
    void aListenerThatDoesNotCloseHoldsNobody() throws Exception {
        vendors.closes = this::hang;
        GuardedTransport transport = new GuardedTransport(vendors, null, guard, true);
        transport.listen(ENDPOINT, session -> server).close();
        assertEquals(1, released.getCount());
        assertEquals(1, vendors.listenerClosed.getCount());
    }

    @Test
    void aSessionThatDoesNotCloseHoldsNobodyAndIsOverForItsHandler() throws Exception {
        vendors.closes = this::hang;
        Session session = open(true);
        session.close("the end");
        assertEquals("the end", cause());
    }

    @Test
    void aTransportThatDoesNotSayWhetherThereIsRoomLosesItsSession() throws Exception {
        vendors.asks = this::hang;
        vendors.isSilentAtTheEnd = true;
        Session session = open(true);
        assertTrue(session.isWritable());
        session.send(new WalData(0, 0, 0, 0, ByteBuffer.allocate(1)));
        assertTrue(cause().contains("has not come back"), cause());
    }
}
