package lockstep.transport.tck;

import static lockstep.transport.tck.Messages.numbered;
import static lockstep.transport.tck.Messages.wal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Message;
import lockstep.transport.api.MessageCodec;
import lockstep.transport.api.Session;
import org.junit.jupiter.api.Test;

/** Messages arrive whole, unaltered and in order, and their buffers belong to whom the contract says. */
interface MessageChecks extends Checks {
    @Test
    default void messagesOfAllSizesArriveWholeAndInOrderBothWays() throws Exception {
        Ends.Link link = ends().link();
        Random sizes = new Random(1);
        List<Message> sent = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            int bytes = i % 50 == 7 ? MessageCodec.MAX_DATA_BYTES : sizes.nextInt(i % 3 == 0 ? 100_000 : 200);
            sent.add(wal(i, bytes));
        }
        for (Message message : sent) {
            link.client().session().send(message);
            link.server().session().send(message);
        }
        for (Message message : sent) {
            assertEquals(message, link.server().next());
            assertEquals(message, link.client().next());
        }
    }

    @Test
    default void everyKindOfMessageArrivesAsItWasSentBothWays() throws Exception {
        Ends.Link link = ends().link();
        List<Message> all = Messages.ofEveryKind(new Random(2)).toList();
        for (Message message : all) {
            link.client().session().send(message);
            link.server().session().send(message);
        }
        for (Message message : all) {
            assertEquals(message, link.server().next());
            assertEquals(message, link.client().next());
        }
    }

    @Test
    default void anEmptyPieceOfWalIsAMessageToo() throws Exception {
        Ends.Link link = ends().link();
        for (int bytes : new int[] {0, 1, 0, 2, 0}) {
            link.client().session().send(wal(bytes, bytes));
        }
        for (int bytes : new int[] {0, 1, 0, 2, 0}) {
            assertEquals(wal(bytes, bytes), link.server().next());
        }
    }

    @Test
    default void theLongestMessageArrivesBothWays() throws Exception {
        Ends.Link link = ends().link();
        Message longest = wal(1, MessageCodec.MAX_DATA_BYTES);
        link.client().session().send(longest);
        assertEquals(longest, link.server().next());
        link.server().session().send(longest);
        assertEquals(longest, link.client().next());
    }

    @Test
    default void aMessageBeyondItsBoundIsRefusedAndTheSessionGoesOn() throws Exception {
        Ends.Link link = ends().link();
        Session session = link.client().session();
        assertThrows(IllegalArgumentException.class, () -> session.send(wal(1, MessageCodec.MAX_DATA_BYTES + 1)));
        session.send(numbered(2));
        assertEquals(numbered(2), link.server().next());
    }

    @Test
    default void aBurstOfSmallMessagesArrivesInOrder() throws Exception {
        Ends.Link link = ends().link();
        int count = 10_000;
        for (int i = 0; i < count; i++) {
            link.client().session().send(numbered(i));
        }
        for (int i = 0; i < count; i++) {
            assertEquals(numbered(i), link.server().next());
        }
    }

    @Test
    default void theBufferMayBeReusedOnceSendHasReturned() throws Exception {
        Ends.Link link = ends().link();
        ByteBuffer buffer = ByteBuffer.allocateDirect(1000);
        for (int i = 0; i < 1000; i++) {
            buffer.putInt(0, i);
            link.client().session().send(new Message.WalData(i, 0, 0, 0, buffer));
        }
        for (int i = 0; i < 1000; i++) {
            assertEquals(i, ((Message.WalData) link.server().next()).bytes().getInt(0));
        }
    }

    @Test
    default void theSendersBufferIsLeftAsItWas() throws Exception {
        Ends.Link link = ends().link();
        byte[] bytes = new byte[100];
        new Random(3).nextBytes(bytes);
        ByteBuffer direct = ByteBuffer.allocateDirect(100).put(bytes).flip();
        for (ByteBuffer whole : List.of(ByteBuffer.wrap(bytes), direct)) {
            ByteBuffer part = whole.asReadOnlyBuffer().position(10).limit(60);
            link.client().session().send(new Message.BackupData(part));
            assertEquals(10, part.position());
            assertEquals(60, part.limit());
            assertEquals(
                    new Message.BackupData(ByteBuffer.wrap(bytes, 10, 50)),
                    link.server().next());
        }
    }

    @Test
    default void aHandlerMayAnswerAtOnce() throws Exception {
        Listener echo = ends().listen(session -> new RecordingHandler() {
            @Override
            public void received(Session from, Message message) {
                from.send(message);
            }
        });
        RecordingHandler there = ends().connect(echo.endpoint());
        for (int i = 0; i < 100; i++) {
            there.session().send(numbered(i));
            assertEquals(numbered(i), there.next());
        }
    }

    @Test
    default void anAcceptorMaySpeakFirst() throws Exception {
        Listener door = ends().listen(session -> {
            session.send(numbered(1));
            return ends().accept(session);
        });
        RecordingHandler there = ends().connect(door.endpoint());
        assertEquals(numbered(1), there.next());
        ends().accepted();
    }

    @Test
    default void theHandlerIsGivenTheSessionThatItsMessagesCameOn() throws Exception {
        CompletableFuture<Session> given = new CompletableFuture<>();
        CompletableFuture<Session> accepted = new CompletableFuture<>();
        Listener door = ends().listen(session -> {
            accepted.complete(session);
            return new RecordingHandler() {
                @Override
                public void received(Session from, Message message) {
                    given.complete(from);
                }
            };
        });
        ends().connect(door.endpoint()).session().send(numbered(1));
        Session from = given.get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
        assertEquals(accepted.join(), from);
    }

    @Test
    default void everyBatchOfMessagesIsEnded() throws Exception {
        Ends.Link link = ends().link();
        link.client().session().send(numbered(1));
        link.server().next();
        link.server().awaitBatch();
        link.client().session().send(numbered(2));
        link.server().next();
        link.client().session().close("done");
        link.server().cause();
        int batches = link.server().batches();
        assertTrue(batches >= 1 && batches <= 2, () -> batches + " batches of 2 messages");
    }

    @Test
    default void bothMaySendAllTheyHaveAtOnce() throws Exception {
        Ends.Link link = ends().link();
        int pieces = 300;
        CompletableFuture<Void> up = CompletableFuture.runAsync(() -> Pushing.send(link.client(), pieces));
        CompletableFuture<Void> down = CompletableFuture.runAsync(() -> Pushing.send(link.server(), pieces));
        for (int i = 0; i < pieces; i++) {
            assertEquals(wal(i, Pushing.PIECE_BYTES), link.server().next());
            assertEquals(wal(i, Pushing.PIECE_BYTES), link.client().next());
        }
        up.get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
        down.get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
    }
}
