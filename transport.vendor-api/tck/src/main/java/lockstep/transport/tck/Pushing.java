package lockstep.transport.tck;

import static org.junit.jupiter.api.Assertions.assertTrue;

import lockstep.transport.api.Session;

/** Sends as the core does: bulk only while the session is writable. */
final class Pushing {
    static final int PIECE_BYTES = 64 << 10;

    /** What a transport, and what is below it, may hold at most of what nobody takes. */
    static final long MAX_HELD_BYTES = 128L << 20;

    private Pushing() {}

    /** Sends pieces, the first of number 0. */
    static void send(RecordingHandler from, int pieces) {
        try {
            for (int i = 0; i < pieces; i++) {
                while (!from.session().isWritable() && !from.isClosed()) {
                    from.awaitWritable();
                }
                from.session().send(Messages.wal(i, PIECE_BYTES));
            }
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    /** Sends until the session takes no more; returns how many pieces it took, the first of number 0. */
    static int fill(Session session) {
        int sent = 0;
        while (session.isWritable()) {
            long held = (long) sent * PIECE_BYTES;
            assertTrue(held <= MAX_HELD_BYTES, () -> "still writable after " + held + " bytes that nobody took");
            session.send(Messages.wal(sent++, PIECE_BYTES));
        }
        return sent;
    }
}
