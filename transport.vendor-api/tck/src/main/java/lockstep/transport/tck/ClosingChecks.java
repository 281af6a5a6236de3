package lockstep.transport.tck;

import static lockstep.transport.tck.Messages.numbered;
import static lockstep.transport.tck.Messages.wal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Message;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import org.junit.jupiter.api.Test;

/** A session ends once, on both sides, with a cause, and not before what was sent has been delivered. */
interface ClosingChecks extends Checks {
    @Test
    default void whatWasSentBeforeClosingIsDelivered() throws Exception {
        // What comes in meanwhile comes between other steps of the closing each time.
        for (int round = 0; round < 10; round++) {
            closeAfterSending(ends().link());
        }
    }

    private static void closeAfterSending(Ends.Link link) throws Exception {
        Session session = link.client().session();
        for (int i = 0; i < 50; i++) {
            link.server().session().send(wal(i, 10_000)); // unread by the closing side, and still no harm
        }
        for (int i = 0; i < 50; i++) {
            session.send(wal(i, 10_000));
        }
        session.send(new Message.Refusal(Message.RefusalCode.PROTOCOL, "no"));
        session.close("enough said");
        for (int i = 0; i < 50; i++) {
            assertEquals(wal(i, 10_000), link.server().next());
        }
        assertEquals(
                new Message.Refusal(Message.RefusalCode.PROTOCOL, "no"),
                link.server().next());
        link.server().cause();
        link.client().cause();
    }

    @Test
    default void theFirstCauseCounts() throws Exception {
        Ends.Link link = ends().link();
        link.client().session().close("first cause");
        link.client().session().close("second cause");
        assertEquals("first cause", link.client().cause());
        link.client().session().close("third cause");
        link.server().cause();
    }

    @Test
    default void aClosedSessionIgnoresWhatIsSent() throws Exception {
        Ends.Link link = ends().link();
        link.client().session().send(numbered(1));
        link.client().session().close("done");
        link.client().session().send(numbered(2));
        assertFalse(link.client().session().isWritable());
        link.client().cause();
        link.client().session().send(numbered(3));
        link.server().cause();
        assertEquals(List.of(numbered(1)), link.server().takeAll());
        link.server().session().send(numbered(4));
        assertFalse(link.server().session().isWritable());
    }

    @Test
    default void thePeerIsToldACauseToo() throws Exception {
        Ends.Link link = ends().link();
        link.client().session().close("the client has had enough");
        assertFalse(link.server().cause().isBlank());
    }

    @Test
    default void theServerMayCloseToo() throws Exception {
        Ends.Link link = ends().link();
        link.server().session().send(numbered(1));
        link.server().session().close("the server has had enough");
        assertEquals(numbered(1), link.client().next());
        assertFalse(link.client().cause().isBlank());
        assertEquals("the server has had enough", link.server().cause());
    }

    @Test
    default void aHandlerMayCloseItsSessionAndHearsNoMoreMessages() throws Exception {
        LinkedBlockingQueue<RecordingHandler> handlers = new LinkedBlockingQueue<>();
        Listener door = ends().listen(session -> {
            RecordingHandler handler = new RecordingHandler() {
                @Override
                public void received(Session from, Message message) {
                    super.received(from, message);
                    from.close("one is enough");
                }
            };
            handlers.add(handler);
            return handler;
        });
        RecordingHandler there = ends().connect(door.endpoint());
        for (int i = 0; i < 100; i++) {
            there.session().send(numbered(i));
        }
        RecordingHandler here = handlers.take();
        assertEquals("one is enough", here.cause());
        there.cause();
        assertEquals(List.of(numbered(0)), here.takeAll());
    }

    @Test
    default void closingWhatHasEndedDoesNothing() throws Exception {
        CompletableFuture<Session> session = new CompletableFuture<>();
        CompletableFuture<String> closed = new CompletableFuture<>();
        SessionHandler handler = new SessionHandler() {
            @Override
            public void received(Session from, Message message) {}

            @Override
            public void closed(String cause) {
                session.join().send(numbered(1));
                session.join().close("once more");
                closed.complete(cause);
            }
        };
        session.complete(ends().client().connect(ends().listener().endpoint(), handler));
        session.join().close("done");
        assertEquals("done", closed.get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS));
        ends().accepted().cause();
    }

    @Test
    default void anAcceptorRefusesWithAMessage() throws Exception {
        LinkedBlockingQueue<RecordingHandler> handlers = new LinkedBlockingQueue<>();
        Message refusal = new Message.Refusal(Message.RefusalCode.NOT_READY, "recovering");
        Listener door = ends().listen(session -> {
            session.send(refusal);
            session.close("not ready");
            RecordingHandler handler = new RecordingHandler();
            handlers.add(handler);
            return handler;
        });
        RecordingHandler there = ends().connect(door.endpoint());
        assertEquals(refusal, there.next());
        there.cause();
        assertEquals("not ready", handlers.take().cause());
    }

    @Test
    default void aPeerThatTakesNothingDoesNotHoldUpClosing() throws Exception {
        Ends.Link link = ends().link();
        link.server().block();
        Pushing.fill(link.client().session());
        link.client().session().close("no more");
        assertEquals("no more", link.client().cause());
        link.server().unblock();
        link.server().cause();
    }

    @Test
    default void sendingAndClosingAtTheSameTimeEndsCleanly() throws Exception {
        for (int round = 0; round < 50; round++) {
            Ends.Link link = ends().link();
            CountDownLatch go = new CountDownLatch(1);
            Session session = link.client().session();
            CompletableFuture<Void> sending = CompletableFuture.runAsync(() -> {
                go.countDown();
                for (int i = 0; i < 500; i++) {
                    session.send(wal(i, 500));
                }
            });
            go.await();
            (round % 2 == 0 ? link.client() : link.server()).session().close("round " + round);
            sending.get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
            link.client().cause();
            link.server().cause();
            int expected = 0;
            for (Message message : link.server().takeAll()) {
                assertEquals(wal(expected++, 500), message);
            }
        }
    }

    @Test
    default void bothMayCloseAtOnce() throws Exception {
        for (int round = 0; round < 50; round++) {
            Ends.Link link = ends().link();
            CyclicBarrier together = new CyclicBarrier(2);
            CompletableFuture<Void> one = closing(link.client().session(), together);
            CompletableFuture<Void> other = closing(link.server().session(), together);
            one.get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
            other.get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
            assertFalse(link.client().cause().isBlank());
            assertFalse(link.server().cause().isBlank());
        }
    }

    @Test
    default void manyThreadsMayCloseAndTheHandlerHearsItOnce() throws Exception {
        Ends.Link link = ends().link();
        CyclicBarrier together = new CyclicBarrier(8);
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            all.add(closing(link.client().session(), together));
        }
        for (CompletableFuture<Void> each : all) {
            each.get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
        }
        assertEquals("closed by one of many", link.client().cause());
        link.server().cause();
        ends().withdraw();
        link.client().assertInOrder();
        link.server().assertInOrder();
    }

    private static CompletableFuture<Void> closing(Session session, CyclicBarrier together) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        Thread thread = new Thread(
                () -> {
                    try {
                        together.await();
                        session.close("closed by one of many");
                        done.complete(null);
                    } catch (Throwable e) {
                        done.completeExceptionally(e);
                    }
                },
                "junit-closing");
        thread.start();
        return done;
    }

    @Test
    default void aHandlerThatThrowsLosesItsSessionAndNoOther() throws Exception {
        CompletableFuture<String> closed = new CompletableFuture<>();
        Listener door = ends().listen(session -> new SessionHandler() {
            @Override
            public void received(Session from, Message message) {
                throw new IllegalStateException("told to");
            }

            @Override
            public void closed(String cause) {
                closed.complete(cause);
            }
        });
        RecordingHandler other = ends().connect();
        RecordingHandler there = ends().connect(door.endpoint());
        there.session().send(numbered(1));
        there.cause();
        String cause = closed.get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
        assertTrue(cause.contains("told to"), cause);
        other.session().send(numbered(2));
        assertEquals(numbered(2), ends().accepted().next());
    }
}
