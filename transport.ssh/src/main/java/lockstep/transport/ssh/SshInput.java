package lockstep.transport.ssh;

import java.io.IOException;
import java.io.InputStream;

/**
 * The encrypted stream as JSch reads it: buffered, because JSch asks for four bytes and then for a packet. It knows when
 * JSch is about to wait for the network, which is when a batch of messages has ended, and for how long it has waited,
 * which is how long the server has been silent.
 */
final class SshInput extends InputStream {
    private static final int BUFFER_BYTES = 256 << 10;
    private static final long NOT_WAITING = 0;

    private final InputStream in;
    private final Runnable idle;
    private final byte[] buffer = new byte[BUFFER_BYTES];
    private int position;
    private int end;
    private volatile long waitingSince = NOT_WAITING;

    /** @param idle run before each wait */
    SshInput(InputStream in, Runnable idle) {
        this.in = in;
        this.idle = idle;
    }

    @Override
    public int read() throws IOException {
        return fill() ? buffer[position++] & 0xFF : -1;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
        if (!fill()) {
            return -1;
        }
        int count = Math.min(length, end - position);
        System.arraycopy(buffer, position, bytes, offset, count);
        position += count;
        return count;
    }

    private boolean fill() throws IOException {
        if (position == end) {
            if (in.available() == 0) {
                idle.run();
            }
            waitingSince = System.nanoTime() | 1; // never NOT_WAITING
            int count = in.read(buffer, 0, BUFFER_BYTES);
            waitingSince = NOT_WAITING;
            if (count < 0) {
                return false;
            }
            position = 0;
            end = count;
        }
        return true;
    }

    /** Returns for how long nothing has come that was waited for. */
    long silentNanos() {
        long since = waitingSince;
        return since == NOT_WAITING ? 0 : System.nanoTime() - since;
    }

    @Override
    public void close() throws IOException {
        in.close();
    }
}
