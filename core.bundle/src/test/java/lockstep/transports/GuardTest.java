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

class GuardTest {
    private static final Endpoint ENDPOINT = Endpoint.parse("vendor://anywhere");
    private static final long PATIENCE_S = 60;

    private final Guard guard = new Guard(Clock.SYSTEM);
    private final Vendors vendors = new Vendors();
    private final CompletableFuture<String> closed = new CompletableFuture<>();

    /** A transport that does with a message what a test wants. */
    private static final class Vendors implements Transport {
        private volatile Consumer<Message> sends = message -> {};
        private volatile boolean isSilentAtTheEnd;
        private volatile SessionHandler handler;
        private volatile Session session;

        @Override
        public String scheme() {
            return "vendor";
        }

        @Override
        public Listener listen(Endpoint endpoint, Acceptor acceptor) throws TransportException {
            throw new TransportException("nobody can listen on " + endpoint);
        }

        @Override
        public Session connect(Endpoint endpoint, SessionHandler by) {
            handler = by;
            session = new Session() {
                @Override
                public void send(Message message) {
                    sends.accept(message);
                }

                @Override
                public boolean isWritable() {
                    return true;
                }

                @Override
                public Peer peer() {
                    return new Peer("anywhere", "", false);
                }

                @Override
                public void close(String cause) {
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
        assertTrue(cause().contains("has not come back"), cause());
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
        var e = assertThrows(TransportException.class, () -> transport.listen(ENDPOINT, session -> server));
        assertEquals("nobody can listen on " + ENDPOINT, e.getMessage());
    }
}
