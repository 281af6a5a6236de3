package lockstep.transports;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Message;
import lockstep.transport.api.MessageCodec;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;

/**
 * A session behind a guard: both what the server calls and what the transport calls. The handler hears {@link
 * SessionHandler#closed} once, from the transport or, where that does not say it, from here.
 *
 * <p><b>Not coming back from a call.</b> Who calls {@link #send} leaves its name in {@link #inside}. The guard, when it has been there for too
 * long, takes the name, ends the session and interrupts the thread. Who comes back and finds its name gone takes care that no
 * interrupt stays behind: a thread that is interrupted while it writes to a file would close the file.
 */
final class GuardedSession implements Session, SessionHandler {
    private static final long HANG_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long CLOSE_NANOS = TimeUnit.SECONDS.toNanos(3);
    private static final int MAX_IDLE_MESSAGES = 100_000;

    private final GuardedTransport transport;
    private final Guard guard;
    private final Endpoint endpoint;
    private final boolean isIncoming;
    private final boolean isPumped;
    private final long sinceMicros;
    private final AtomicReference<Thread> inside = new AtomicReference<>();
    private final AtomicBoolean ended = new AtomicBoolean();
    private volatile Session session;
    private volatile SessionHandler handler;
    private volatile Pump pump;
    private volatile Peer peer;
    private volatile String calling = "";
    private volatile long enteredNanos;
    private volatile long closedNanos;
    private volatile String closeCause;
    private volatile boolean isHandling;
    private final LongAdder sentBytes = new LongAdder();
    private final LongAdder receivedBytes = new LongAdder();

    /** Messages since bulk data came last, and when they were counted from. */
    private int idleMessages;

    private long idleSinceNanos;

    GuardedSession(
            GuardedTransport transport,
            Guard guard,
            Endpoint endpoint,
            boolean isIncoming,
            Session session,
            boolean isPumped) {
        this.transport = transport;
        this.guard = guard;
        this.endpoint = endpoint;
        this.isIncoming = isIncoming;
        this.isPumped = isPumped;
        sinceMicros = guard.clock().micros();
        if (session != null) {
            opened(session);
        }
    }

    /** Knows the transport's own session from now on. May be called more than once. */
    void opened(Session own) {
        if (session == null) {
            synchronized (this) {
                if (session == null) {
                    peer = own.peer();
                    if (isPumped && !ended.get()) {
                        pump = new Pump(guard, this);
                    }
                    session = own;
                    if (!ended.get()) {
                        guard.watch(this);
                    }
                }
            }
        }
    }

    void handle(SessionHandler by) {
        handler = by;
    }

    /** Lets nobody hear of it. */
    synchronized GuardedSession withoutHandler() {
        ended.set(true);
        guard.forget(this);
        Pump own = pump;
        if (own != null) {
            own.end();
        }
        return this;
    }

    boolean isIncoming() {
        return isIncoming;
    }

    boolean hasEnded() {
        return ended.get();
    }

    boolean wasClosedHere() {
        return closeCause != null;
    }

    // What the server calls.

    @Override
    public void send(Message message) {
        if (ended.get() || closeCause != null) {
            return;
        }
        if (pump != null) {
            pump.send(message);
        } else {
            pass(message);
        }
    }

    /** Has the transport send a message, on this thread. */
    void pass(Message message) {
        enter("send");
        try {
            session.send(message);
            long bytes = MessageCodec.frameBytes(message);
            sentBytes.add(bytes);
            transport.sent(bytes);
        } catch (IllegalArgumentException e) {
            throw e;
        } catch (RuntimeException | Error e) {
            defect("send failed with " + e, e);
        } finally {
            leave();
        }
    }

    /** Asks the transport whether there is room, on the thread of the pump. */
    boolean askWritable() {
        enter("isWritable");
        try {
            return isTransportWritable();
        } finally {
            leave();
        }
    }

    private void enter(String call) {
        calling = call;
        enteredNanos = guard.clock().nanos();
        inside.set(Thread.currentThread());
    }

    private void leave() {
        if (!inside.compareAndSet(Thread.currentThread(), null)) {
            synchronized (this) {
                Thread.interrupted();
                guard.isBack(Thread.currentThread());
            }
        }
    }

    @Override
    public boolean isWritable() {
        if (ended.get() || closeCause != null) {
            return false;
        }
        return pump != null ? pump.isWritable() : isTransportWritable();
    }

    private boolean isTransportWritable() {
        try {
            return session.isWritable();
        } catch (RuntimeException | Error e) {
            defect("isWritable failed with " + e, e);
            return false;
        }
    }

    @Override
    public Peer peer() {
        return peer;
    }

    @Override
    public void close(String cause) {
        synchronized (this) {
            if (closeCause != null) {
                return;
            }
            closedNanos = guard.clock().nanos();
            closeCause = cause;
        }
        Pump own = pump;
        if (own != null) {
            own.close(cause);
        } else {
            passClose(cause);
        }
    }

    /** Has the transport close its session, on a thread that may be lost. */
    void passClose(String cause) {
        guard.run(() -> {
            try {
                session.close(cause);
            } catch (RuntimeException | Error e) {
                defect("close failed with " + e, e);
            }
        });
    }

    // What the transport calls.

    @Override
    public void received(Session own, Message message) {
        opened(own);
        if (ended.get() || closeCause != null) {
            return;
        }
        long bytes = MessageCodec.frameBytes(message);
        receivedBytes.add(bytes);
        transport.received(bytes);
        if (floods(message)) {
            defect("it floods: " + MAX_IDLE_MESSAGES + " messages without data within a second", null);
            return;
        }
        isHandling = true;
        try {
            handler.received(this, message);
        } finally {
            isHandling = false;
        }
    }

    private boolean floods(Message message) {
        if (message instanceof Message.WalData || message instanceof Message.BackupData) {
            idleMessages = 0;
            return false;
        }
        if (idleMessages++ == 0) {
            idleSinceNanos = guard.clock().nanos();
        }
        if (idleMessages < MAX_IDLE_MESSAGES) {
            return false;
        }
        idleMessages = 0;
        return guard.clock().nanos() - idleSinceNanos < TimeUnit.SECONDS.toNanos(1);
    }

    @Override
    public String localName() {
        return handler.localName();
    }

    @Override
    public void endOfBatch() {
        if (ended.get()) {
            return;
        }
        isHandling = true;
        try {
            handler.endOfBatch();
        } finally {
            isHandling = false;
        }
    }

    @Override
    public void writable() {
        Pump own = pump;
        if (own != null) {
            own.wake();
        } else if (!ended.get()) {
            handler.writable();
        }
    }

    /** Tells the handler that there is room again. */
    void tellWritable() {
        if (!ended.get()) {
            handler.writable();
        }
    }

    @Override
    public void closed(String cause) {
        if (ended.compareAndSet(false, true)) {
            guard.forget(this);
            Pump own = pump;
            if (own != null) {
                own.end();
            }
            transport.ended(this, cause);
            handler.closed(cause);
        }
    }

    // What the guard does.

    /** Ends the session for a defect of the transport. */
    void defect(String what, Throwable cause) {
        transport.defect(what + "; its session with " + peer.address() + " is closed", cause);
        close("defect of the transport: " + what);
    }

    /** Ends what does not come back. */
    void look() {
        long now = guard.clock().nanos();
        Thread caller = inside.get();
        long entered = enteredNanos;
        if (caller != null && now - entered > HANG_NANOS) {
            synchronized (this) {
                if (entered == enteredNanos && inside.compareAndSet(caller, null)) {
                    caller.interrupt();
                    if (!isPumped) {
                        guard.holds(caller);
                    }
                } else {
                    caller = null;
                }
            }
            if (caller != null) {
                IllegalStateException where = new IllegalStateException(caller.getName());
                where.setStackTrace(caller.getStackTrace());
                defect(
                        calling + " has not come back for " + TimeUnit.NANOSECONDS.toMillis(now - entered) + " ms",
                        where);
                passClose(closeCause);
                guard.run(() -> closed(closeCause));
            }
        }
        // While the handler is at work, its session goes on.
        if (closeCause != null && now - closedNanos > CLOSE_NANOS && !isHandling) {
            transport.defect("close has not ended the session with " + peer.address(), null);
            guard.run(() -> closed(closeCause));
        }
    }

    LinkView view(String scheme) {
        return new LinkView(
                scheme, endpoint.toString(), isIncoming, peer, sinceMicros, sentBytes.sum(), receivedBytes.sum());
    }
}
