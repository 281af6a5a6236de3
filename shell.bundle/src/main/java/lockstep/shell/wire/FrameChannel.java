package lockstep.shell.wire;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.util.Objects;

/**
 * Sends and receives {@link Frame}s. Any thread may send; one thread receives, meanwhile.
 *
 * <p>The socket is not in blocking mode, although both methods block: a thread that is interrupted in a blocking
 * operation closes the socket, and interrupting is how a command is ended, whose prompt goes on.
 */
public final class FrameChannel implements Closeable {
    private final SocketChannel socket;
    private final Selector readable;
    private final Selector writable;
    private final Object sending = new Object();
    private final ByteBuffer header = ByteBuffer.allocate(Frame.HEADER_BYTES);

    /** Takes over a connected socket. */
    public FrameChannel(SocketChannel socket) throws IOException {
        this.socket = socket;
        socket.configureBlocking(false);
        readable = Selector.open();
        writable = Selector.open();
        socket.register(readable, SelectionKey.OP_READ);
        socket.register(writable, SelectionKey.OP_WRITE);
    }

    /** Sends a frame; waits while the other side does not read. */
    public void send(Frame frame) throws IOException {
        send(frame.kind(), frame.body().duplicate());
    }

    private void send(Frame.Kind kind, ByteBuffer body) throws IOException {
        ByteBuffer head = ByteBuffer.allocate(Frame.HEADER_BYTES);
        head.put(kind.code).putInt(body.remaining()).flip();
        ByteBuffer[] both = {head, body};
        synchronized (sending) {
            while (head.hasRemaining() || body.hasRemaining()) {
                if (socket.write(both) == 0) {
                    await(writable);
                }
            }
        }
    }

    /** Returns a stream that sends what is written to it at once, as frames of this kind. */
    public OutputStream stream(Frame.Kind kind) {
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                write(new byte[] {(byte) b}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                Objects.checkFromIndexSize(offset, length, bytes.length);
                for (int sent = 0; sent < length; ) {
                    int now = Math.min(length - sent, Frame.MAX_BODY_BYTES);
                    send(kind, ByteBuffer.wrap(bytes, offset + sent, now));
                    sent += now;
                }
            }
        };
    }

    /**
     * Waits for the next frame.
     *
     * @throws EOFException if the other side closed the channel
     * @throws IOException if what came is no frame
     */
    public Frame receive() throws IOException {
        fill(header.clear());
        Frame.Kind kind = Frame.Kind.of(header.get());
        int length = header.getInt();
        if (length < 0 || length > Frame.MAX_BODY_BYTES) {
            throw new IOException("a frame on the attach channel says that it has " + length + " bytes; at most "
                    + Frame.MAX_BODY_BYTES + " are allowed");
        }
        ByteBuffer body = ByteBuffer.allocate(length);
        fill(body);
        return new Frame(kind, body);
    }

    private void fill(ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            int read = socket.read(buffer);
            if (read < 0) {
                throw new EOFException("the attach channel was closed");
            }
            if (read == 0) {
                await(readable);
            }
        }
        buffer.flip();
    }

    private static void await(Selector selector) throws IOException {
        boolean interrupted = Thread.interrupted();
        try {
            selector.select(key -> {});
            interrupted |= Thread.interrupted();
        } catch (ClosedSelectorException e) {
            throw new EOFException("the attach channel was closed");
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Closes the socket; a thread that receives or sends hears of it by an exception. */
    @Override
    public void close() throws IOException {
        socket.close();
        readable.close();
        writable.close();
    }
}
