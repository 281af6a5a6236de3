package lockstep.transport.tck;

import static lockstep.transport.tck.Messages.numbered;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Message;
import lockstep.transport.api.Session;
import org.junit.jupiter.api.Test;

/** Much is sent and all of it arrives; how fast that went is printed. */
interface ThroughputChecks extends Checks {
    @Test
    default void bulkDataArrivesInFullAndItsThroughputIsPrinted() throws Exception {
        AtomicLong receivedBytes = new AtomicLong();
        Listener door = ends().listen(session -> new RecordingHandler() {
            @Override
            public void received(Session from, Message message) {
                if (message instanceof Message.WalData data) {
                    receivedBytes.addAndGet(data.bytes().remaining());
                } else {
                    from.send(message);
                }
            }
        });
        RecordingHandler there = ends().connect(door.endpoint());
        Session session = there.session();
        long roundTripNanos = roundTripNanos(there);
        ByteBuffer piece = ByteBuffer.allocateDirect(Pushing.PIECE_BYTES);
        long pieces = ends().bulkBytes() / Pushing.PIECE_BYTES;
        long startNanos = System.nanoTime();
        for (long i = 0; i < pieces; i++) {
            while (!session.isWritable()) {
                there.awaitWritable();
            }
            session.send(new Message.WalData(i, 0, 0, 0, piece));
        }
        session.send(numbered(-1));
        assertEquals(numbered(-1), there.next());
        double seconds = (System.nanoTime() - startNanos) / 1e9;
        assertEquals(pieces * Pushing.PIECE_BYTES, receivedBytes.get());
        System.out.printf(
                Locale.ROOT,
                "%s://  %.0f MB/s in messages of %d kB, round trip %.0f us%n",
                ends().scheme(),
                pieces * Pushing.PIECE_BYTES / seconds / 1e6,
                Pushing.PIECE_BYTES >> 10,
                roundTripNanos / 1e3);
    }

    private static long roundTripNanos(RecordingHandler there) throws Exception {
        long best = Long.MAX_VALUE;
        for (int i = 0; i < 100; i++) {
            long startNanos = System.nanoTime();
            there.session().send(numbered(i));
            assertEquals(numbered(i), there.next());
            best = Math.min(best, System.nanoTime() - startNanos);
        }
        return best;
    }
}
