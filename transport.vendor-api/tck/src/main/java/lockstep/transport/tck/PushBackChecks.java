package lockstep.transport.tck;

import static lockstep.transport.tck.Messages.numbered;
import static lockstep.transport.tck.Messages.wal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Message;
import lockstep.transport.api.Session;
import org.junit.jupiter.api.Test;

/** A receiver that does not keep up slows its sender down, costs a bounded amount of memory, and harms nobody else. */
interface PushBackChecks extends Checks {
    @Test
    default void aNewSessionIsWritable() throws Exception {
        Ends.Link link = ends().link();
        assertTrue(link.client().session().isWritable());
        assertTrue(link.server().session().isWritable());
    }

    @Test
    default void aHandlerThatBlocksPushesBackToTheClient() throws Exception {
        Ends.Link link = ends().link();
        assertPushesBack(link.client(), link.server());
    }

    @Test
    default void aHandlerThatBlocksPushesBackToTheServer() throws Exception {
        Ends.Link link = ends().link();
        assertPushesBack(link.server(), link.client());
    }

    private static void assertPushesBack(RecordingHandler from, RecordingHandler to) throws Exception {
        to.block();
        int sent = Pushing.fill(from.session());
        to.awaitHeld();
        to.unblock();
        for (int i = 0; i < sent; i++) {
            assertEquals(wal(i, Pushing.PIECE_BYTES), to.next());
        }
        // Told at least once; more often where more found room on the way after the sender had been held up.
        do {
            from.awaitWritable();
        } while (!from.session().isWritable());
    }

    @Test
    default void aHandlerThatBlocksStopsOnlyItsOwnSession() throws Exception {
        Ends.Link slow = ends().link();
        slow.server().block();
        Pushing.fill(slow.client().session());
        slow.server().awaitHeld();
        Ends.Link other = ends().link();
        for (int i = 0; i < 100; i++) {
            other.client().session().send(wal(i, Pushing.PIECE_BYTES));
            assertEquals(wal(i, Pushing.PIECE_BYTES), other.server().next());
        }
        other.server().session().send(numbered(1));
        assertEquals(numbered(1), other.client().next());
        slow.server().unblock();
    }

    @Test
    default void aSmallMessageMayBeSentAtAnyTime() throws Exception {
        Ends.Link link = ends().link();
        link.server().block();
        int sent = Pushing.fill(link.client().session());
        for (int i = 0; i < 100; i++) {
            link.client().session().send(numbered(i));
        }
        link.server().unblock();
        for (int i = 0; i < sent; i++) {
            assertEquals(wal(i, Pushing.PIECE_BYTES), link.server().next());
        }
        for (int i = 0; i < 100; i++) {
            assertEquals(numbered(i), link.server().next());
        }
    }

    @Test
    default void sendReturnsAtOnceWhileThePeerTakesNothing() throws Exception {
        Ends.Link link = ends().link();
        link.server().block();
        CompletableFuture<Void> sending = CompletableFuture.runAsync(() -> {
            try {
                Pushing.fill(link.client().session());
                link.client().session().send(numbered(1));
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
        sending.get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
        link.server().unblock();
    }

    @Test
    default void aSenderThatWaitsForWritableSendsAllThereIs() throws Exception {
        int pieces = 1000;
        Ends.Link link = ends().link();
        CompletableFuture<Void> sending = CompletableFuture.runAsync(() -> Pushing.send(link.client(), pieces));
        for (int i = 0; i < pieces; i++) {
            assertEquals(wal(i, Pushing.PIECE_BYTES), link.server().next());
        }
        sending.get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
    }

    @Test
    default void pushedBackManyTimesASenderIsToldEachTime() throws Exception {
        Listener door = ends().listen(session -> new RecordingHandler() {
            @Override
            public void received(Session from, Message message) {
                if (message instanceof Message.BackupEnded) {
                    from.send(message);
                }
            }
        });
        RecordingHandler there = ends().connect(door.endpoint());
        for (int round = 0; round < 10; round++) {
            Pushing.send(there, 100);
            there.session().send(numbered(round));
            assertEquals(numbered(round), there.next());
        }
    }

    @Test
    default void writableIsNotToldOfASessionThatAlwaysWas() throws Exception {
        Ends.Link link = ends().link();
        for (int i = 0; i < 20; i++) {
            link.client().session().send(numbered(i));
            assertEquals(numbered(i), link.server().next());
        }
        link.client().session().close("done");
        link.server().cause();
        link.client().cause();
        assertEquals(0, link.client().writables());
        assertEquals(0, link.server().writables());
    }

    @Test
    default void aSlowHandlerGetsEverythingInOrder() throws Exception {
        CompletableFuture<Session> accepted = new CompletableFuture<>();
        RecordingHandler slow = new RecordingHandler() {
            @Override
            public void received(Session from, Message message) {
                try {
                    TimeUnit.MILLISECONDS.sleep(1);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                super.received(from, message);
            }
        };
        Listener door = ends().listen(session -> {
            accepted.complete(session);
            return slow;
        });
        RecordingHandler there = ends().connect(door.endpoint());
        CompletableFuture<Void> sending = CompletableFuture.runAsync(() -> Pushing.send(there, 300));
        for (int i = 0; i < 300; i++) {
            assertEquals(wal(i, Pushing.PIECE_BYTES), slow.next());
        }
        sending.get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
        assertFalse(slow.isClosed());
    }
}
