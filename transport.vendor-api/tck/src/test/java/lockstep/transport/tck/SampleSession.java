package lockstep.transport.tck;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.zip.CRC32C;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.api.Message;
import lockstep.transport.api.MessageCodec;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;

/**
 * One side of a session within one process: a queue of frames, each behind its number, and a thread that delivers them.
 *
 * <p><b>Lock.</b> {@code this} guards all fields but the handler, which the thread alone calls.
 */
final class SampleSession implements Session {
    private static final int LOW_WATER_BYTES = 1 << 20;
    private static final int SWAPPED = 5_000;
    private static final int HIGH_WATER_BYTES = 4 << 20;

    private final SampleNet net;
    private final Defect defect;
    private final SampleWire wire;
    private final ArrayDeque<Supplier<byte[]>> frames = new ArrayDeque<>();
    private SampleSession peer;
    private Thread thread;
    private Supplier<byte[]> heldBack;
    private long offered;
    private long sent;
    private long received;
    private long waitingBytes;
    private boolean pushedBack;
    private boolean drained;
    private boolean peerClosed;
    private String cause;

    SampleSession(SampleNet net, Defect defect, SampleWire wire) {
        this.net = net;
        this.defect = defect;
        this.wire = wire;
    }

    void join(SampleSession other) {
        peer = other;
    }

    /** Starts the thread, which first asks for the handler. */
    synchronized void start(Supplier<SessionHandler> opening) {
        thread = new Thread(() -> run(opening), "sample-session");
        thread.setDaemon(true);
        thread.start();
    }

    void awaitEnd() {
        Thread own;
        synchronized (this) {
            own = thread;
        }
        try {
            if (own != null && own != Thread.currentThread()) {
                own.join(TimeUnit.SECONDS.toMillis(RecordingHandler.PATIENCE_S));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    synchronized void wake() {
        notifyAll();
    }

    @Override
    public void send(Message message) {
        synchronized (this) {
            if (cause != null && defect != Defect.STAYS_WRITABLE_WHEN_CLOSED) {
                return;
            }
        }
        if (defect == Defect.SWALLOWS_WHAT_IS_TOO_LONG && bytes(message) > MessageCodec.MAX_DATA_BYTES) {
            return;
        }
        if (defect == Defect.LOSES_EMPTY_MESSAGES && message instanceof Message.WalData && bytes(message) == 0) {
            return;
        }
        int bytes = MessageCodec.frameBytes(message);
        if (bytes > MessageCodec.MAX_FRAME_BYTES) {
            throw new IllegalArgumentException("the message is too long");
        }
        long number;
        synchronized (this) {
            number = sent++;
        }
        byte[] frame = frame(number, message);
        if (defect == Defect.MOVES_THE_BUFFER && message instanceof Message.WalData data) {
            data.bytes().position(data.bytes().limit());
        } else if (defect == Defect.MOVES_THE_BUFFER && message instanceof Message.BackupData data) {
            data.bytes().position(data.bytes().limit());
        }
        if (wire == null) {
            peer.offer(defect == Defect.KEEPS_THE_BUFFER ? () -> frame(number, message) : () -> frame, bytes);
        } else {
            for (byte[] passed : wire.pass(frame)) {
                peer.offer(() -> passed, bytes);
            }
        }
    }

    private static int bytes(Message message) {
        return message instanceof Message.WalData data ? data.bytes().remaining() : -1;
    }

    private static byte[] frame(long number, Message message) {
        ByteBuffer frame = ByteBuffer.allocate(Long.BYTES + MessageCodec.frameBytes(message));
        MessageCodec.encode(message, frame.putLong(number));
        return frame.array();
    }

    private synchronized void offer(Supplier<byte[]> frame, int bytes) {
        waitingBytes += bytes;
        pushedBack |= waitingBytes > HIGH_WATER_BYTES;
        if (defect == Defect.SWAPS_MESSAGES && ++offered == SWAPPED && heldBack == null) {
            heldBack = frame;
            return;
        }
        frames.add(frame);
        if (heldBack != null) {
            frames.add(heldBack);
            heldBack = null;
        }
        notifyAll();
    }

    @Override
    public boolean isWritable() {
        synchronized (this) {
            if (cause != null) {
                return defect == Defect.STAYS_WRITABLE_WHEN_CLOSED;
            }
        }
        return defect == Defect.NEVER_PUSHES_BACK || !peer.hasPushedBack();
    }

    private synchronized boolean hasPushedBack() {
        return pushedBack;
    }

    @Override
    public Peer peer() {
        return new Peer(
                defect == Defect.LEAVES_THE_PEER_NAMELESS ? "" : "in this process",
                defect == Defect.CLAIMS_AN_IDENTITY ? "root" : "",
                false);
    }

    @Override
    public void close(String why) {
        synchronized (this) {
            if (cause != null) {
                return;
            }
            cause = why;
            notifyAll();
        }
        SampleSession other = peer;
        if (other != null) {
            other.peerHasClosed();
        }
    }

    private synchronized void peerHasClosed() {
        peerClosed = true;
        notifyAll();
    }

    private synchronized void peerTakesMore() {
        drained = true;
        notifyAll();
    }

    private void run(Supplier<SessionHandler> opening) {
        SessionHandler handler;
        try {
            handler = opening.get();
        } catch (RuntimeException e) {
            close("accepting failed: " + e);
            return;
        }
        boolean more = true;
        while (more) {
            more = step(handler);
        }
        String why;
        synchronized (this) {
            why = defect == Defect.FORGETS_THE_CAUSE ? "closed" : cause;
        }
        handler.closed(why);
    }

    /** Waits for something to happen and tells the handler; returns whether the session goes on. */
    private boolean step(SessionHandler handler) {
        Supplier<byte[]> frame;
        boolean writable;
        synchronized (this) {
            while (cause == null && !drained && (stalled() || (frames.isEmpty() && !peerClosed))) {
                try {
                    wait();
                } catch (InterruptedException e) {
                    return false;
                }
            }
            if (cause != null && (defect != Defect.DELIVERS_AFTER_CLOSE || frames.isEmpty())) {
                return false;
            }
            writable = drained;
            drained = false;
            frame = stalled() ? null : frames.poll();
            if (frame == null && peerClosed && !writable && !stalled()) {
                cause = "closed by the peer";
                return false;
            }
        }
        if (writable || defect == Defect.TELLS_WRITABLE_WITHOUT_NEED) {
            call(handler::writable);
        }
        if (frame != null) {
            deliver(handler, frame.get());
        }
        return true;
    }

    private boolean stalled() {
        SampleWire way = wire != null ? wire : peer.wire;
        return way != null && way.isStalled();
    }

    private void deliver(SessionHandler handler, byte[] frame) {
        ByteBuffer bytes = ByteBuffer.wrap(frame);
        try {
            long number = bytes.getLong();
            if (defect == Defect.TRUSTS_BYTES) {
                repairCrc(frame);
            }
            Message message = MessageCodec.decode(bytes);
            if (number != received && defect != Defect.TRUSTS_THE_ORDER && defect != Defect.SWAPS_MESSAGES) {
                close("message " + number + " came, expected " + received);
                return;
            }
            received = number + 1;
            if (defect == Defect.HAS_ONE_THREAD_FOR_ALL) {
                net.oneAtATime.lock();
            }
            Session from = defect == Defect.HANDS_OUT_ANOTHER_SESSION ? new SampleSession(net, defect, wire) : this;
            if (from != this) {
                ((SampleSession) from).join(peer);
            }
            call(() -> handler.received(from, message));
            if (defect == Defect.HAS_ONE_THREAD_FOR_ALL) {
                net.oneAtATime.unlock();
            }
        } catch (MalformedMessageException e) {
            close(e.getMessage());
        }
        boolean tell;
        synchronized (this) {
            waitingBytes -= frame.length - Long.BYTES;
            tell = pushedBack && waitingBytes <= LOW_WATER_BYTES;
            pushedBack &= !tell;
        }
        if (tell) {
            peer.peerTakesMore();
        }
        if (defect != Defect.NEVER_ENDS_A_BATCH && isOpen()) {
            call(handler::endOfBatch);
        }
    }

    private static void repairCrc(byte[] frame) {
        int covered = Long.BYTES + Integer.BYTES;
        CRC32C crc = new CRC32C();
        crc.update(frame, covered, frame.length - covered);
        ByteBuffer.wrap(frame).putInt(Long.BYTES, (int) crc.getValue());
    }

    private synchronized boolean isOpen() {
        return cause == null;
    }

    private void call(Runnable what) {
        try {
            what.run();
        } catch (RuntimeException e) {
            if (defect != Defect.SWALLOWS_EXCEPTIONS) {
                close("the handler failed: " + e);
            }
        }
    }
}
