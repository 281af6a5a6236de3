package lockstep.shell.command;

import java.io.IOException;
import lockstep.kv.KeyValueStore;
import lockstep.kv.Scan;
import lockstep.kv.Snapshot;

/** What a load commits, one record after the other. Thread-safe. */
interface Records extends AutoCloseable {
    /** A record. A client has one, and fills it again for each commit. */
    final class Item {
        private static final int KEY_BYTES = 10;
        private static final long LAST_NUMBER = 9_999_999_999L;
        private static final int RADIX = 10;

        final byte[] key = new byte[KEY_BYTES];
        long number;
        byte[] value = {};

        /** Takes in a number, which ten digits of the key then show. */
        void number(long next) {
            if (next > LAST_NUMBER) {
                throw new IllegalStateException("the keys of a load end with " + LAST_NUMBER);
            }
            number = next;
            writeDigits(next, key);
        }

        /** Writes ten digits, or the first of them that there is room for. */
        static void writeDigits(long number, byte[] target) {
            long left = number;
            for (int i = KEY_BYTES - 1; i >= 0; i--) {
                if (i < target.length) {
                    target[i] = (byte) ('0' + left % RADIX);
                }
                left /= RADIX;
            }
        }
    }

    /**
     * Takes the next record.
     *
     * @return whether there was one
     */
    boolean next(Item item) throws IOException;

    @Override
    default void close() throws IOException {}

    /** Returns the greatest number that a load has used as a key, 0 if none; takes a few dozen reads. */
    static long lastNumber(KeyValueStore store) {
        long last = 0;
        long beyond = Item.LAST_NUMBER + 1;
        try (Snapshot snapshot = store.snapshot()) {
            while (beyond - last > 1) {
                long middle = last + (beyond - last) / 2;
                if (hasKeyFrom(snapshot, middle)) {
                    last = middle;
                } else {
                    beyond = middle;
                }
            }
        }
        return last;
    }

    private static boolean hasKeyFrom(Snapshot snapshot, long number) {
        byte[] from = new byte[Item.KEY_BYTES];
        Item.writeDigits(number, from);
        byte[] afterDigits = {'9' + 1};
        Scan scan = snapshot.scan(from, afterDigits, 1);
        return scan.next();
    }
}
