package lockstep.shell.command;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;

/** Records without end, of the same size: each value shows its number, and then the letters again and again. */
final class GeneratedRecords implements Records {
    private static final int LETTERS = 26;

    private final AtomicLong next;
    private final byte[] value;

    /**
     * Begins with a number.
     *
     * @param valueBytes the size of each value
     */
    GeneratedRecords(long firstNumber, int valueBytes) {
        next = new AtomicLong(firstNumber);
        value = new byte[valueBytes];
        for (int i = 0; i < valueBytes; i++) {
            value[i] = (byte) ('a' + i % LETTERS);
        }
    }

    @Override
    public boolean next(Item item) {
        item.number(next.getAndIncrement());
        if (item.value.length != value.length) {
            item.value = Arrays.copyOf(value, value.length);
        }
        Item.writeDigits(item.number, item.value);
        return true;
    }
}
