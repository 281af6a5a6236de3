package lockstep.simulation;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import lockstep.io.Clock;
import lockstep.io.Step;
import lockstep.io.Worker;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.api.Message;
import lockstep.transport.api.MessageCodec;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import lockstep.wal.PageHeader;
import lockstep.wal.WalLayout;

/**
 * The network between simulated machines. Messages travel as bytes, so that no buffer is shared; they arrive late and in
 * order, or the session breaks: then any part of what is under way is lost in each direction. A session may also fall silent:
 * nothing arrives any more, and nobody is told.
 */
final class SimNetwork {
    private static final int WRITABLE_BYTES = 96 << 10;
    private static final int USUAL_DELAY_NANOS = 100_000;
    private static final int LONG_DELAY_NANOS = 30_000_000;

    private final SplittableRandom random;
    private final Clock clock;
    private final Tally tally;
    private final Map<Endpoint, Door> doors = new HashMap<>();
    private final List<SimSession> sessions = new ArrayList<>();
    private final Answered answered;
    private boolean cut;
    private boolean flipNext;

    /** Hears of each agreement to stream. */
    interface Answered {
        void answered(Message.StartReplication asked, Message.ReplicationStarted answer);
    }

    private record Door(Acceptor acceptor, SimScheduler.Machine machine) {}

    SimNetwork(SplittableRandom random, Clock clock, Tally tally, Answered answered) {
        this.random = random;
        this.clock = clock;
        this.tally = tally;
        this.answered = answered;
    }

    /** Breaks all sessions; both sides hear of it. */
    void cutSessions() {
        for (SimSession session : List.copyOf(sessions)) {
            if (session.endpoint != null) {
                tally.count(Event.SESSION_CUT);
                session.cutBoth("connection reset");
            }
        }
    }

    /** Has all sessions lose everything from now on; neither side hears of it. */
    void silenceSessions() {
        for (SimSession session : sessions) {
            if (session.endpoint != null) {
                tally.count(Event.SESSION_SILENT);
                session.silence();
            }
        }
    }

    /** Has a bit of the next piece of WAL change on its way. */
    void flipABit() {
        flipNext = true;
    }

    /** Lets no session be opened until the network is mended. */
    void setCut(boolean isCut) {
        cut = isCut;
        if (isCut) {
            tally.count(Event.NETWORK_DOWN);
        }
    }

    /** Returns whether there is a session that one of these has opened to the other at that endpoint, and neither has closed. */
    boolean areLinked(SimScheduler.Machine one, SimScheduler.Machine other, String endpoint) {
        return sessions.stream()
                .anyMatch(session -> session.endpoint != null
                        && session.endpoint.toString().equals(endpoint)
                        && !session.closed
                        && !session.peer.closed
                        && session.machine == one
                        && session.peer.machine == other);
    }

    /** A machine has gone: its peers hear of that, unless it went without a word. */
    void gone(SimScheduler.Machine machine, boolean silently) {
        doors.values().removeIf(door -> door.machine == machine);
        for (SimSession session : List.copyOf(sessions)) {
            if (session.machine == machine) {
                sessions.remove(session);
                if (silently) {
                    session.silence();
                } else {
                    session.peer.cut("connection reset by peer");
                }
            }
        }
    }

    /** The network as a machine sees it. */
    SimTransport transport(SimScheduler.Machine machine) {
        return new SimTransport(machine);
    }

    private long delay() {
        return random.nextInt(100) == 0 ? random.nextInt(LONG_DELAY_NANOS) : random.nextInt(USUAL_DELAY_NANOS);
    }

    final class SimTransport implements Transport {
        private final SimScheduler.Machine machine;

        private SimTransport(SimScheduler.Machine machine) {
            this.machine = machine;
        }

        @Override
        public String scheme() {
            return "sim";
        }

        @Override
        public Listener listen(Endpoint endpoint, Acceptor acceptor) {
            Door door = new Door(acceptor, machine);
            doors.put(endpoint, door);
            return new Listener() {
                @Override
                public Endpoint endpoint() {
                    return endpoint;
                }

                @Override
                public void close() {
                    doors.remove(endpoint, door);
                }
            };
        }

        @Override
        public Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException {
            machine.requireAlive();
            Door door = doors.get(endpoint);
            if (cut || door == null) {
                throw new TransportException("cannot connect to " + endpoint + ": nobody answers");
            }
            SimSession here = new SimSession(machine, endpoint, null, handler);
            SimSession there = new SimSession(door.machine, null, door.acceptor, null);
            here.peer = there;
            there.peer = here;
            sessions.add(here);
            sessions.add(there);
            here.start();
            there.start();
            return here;
        }
    }

    /** What arrives: a message, or the end of the session. */
    private record Item(long dueNanos, ByteBuffer frame, String cause) {}

    private final class SimSession implements Session {
        private final SimScheduler.Machine machine;

        /** Where it was opened to; null on the side that accepted it. */
        private final Endpoint endpoint;

        private final Acceptor acceptor;
        private final Deque<Item> inbox = new ArrayDeque<>();
        private SessionHandler handler;
        private SimSession peer;
        private Worker worker;

        private long inboxBytes;
        private long lastDueNanos;
        private boolean wasFull;
        private boolean tellWritable;
        private boolean closed;
        private boolean silent;
        private Message.StartReplication asked;

        SimSession(SimScheduler.Machine machine, Endpoint endpoint, Acceptor acceptor, SessionHandler handler) {
            this.machine = machine;
            this.endpoint = endpoint;
            this.acceptor = acceptor;
            this.handler = handler;
        }

        void start() {
            worker = machine.start(endpoint != null ? SimScheduler.TAKES_TURNS : "session", this::step);
        }

        private long step() throws MalformedMessageException {
            if (handler == null) {
                handler = acceptor.accept(this);
                return Step.AGAIN;
            }
            if (tellWritable) {
                tellWritable = false;
                handler.writable();
            }
            int delivered = 0;
            for (int most = 1 + random.nextInt(4); delivered < most; delivered++) {
                Item item = inbox.peek();
                if (item == null || item.dueNanos > clock.nanos()) {
                    break;
                }
                inbox.remove();
                if (item.cause != null) {
                    end(item.cause);
                    return Step.UNTIL_WOKEN;
                }
                inboxBytes -= item.frame.capacity();
                if (peer.wasFull && isRoom()) {
                    peer.wasFull = false;
                    peer.tellWritable = true;
                    peer.worker.wake();
                }
                if (!closed) {
                    handler.received(this, MessageCodec.decode(item.frame));
                }
            }
            if (delivered > 0 && !closed) {
                handler.endOfBatch();
            }
            Item next = inbox.peek();
            return next == null ? Step.UNTIL_WOKEN : Math.max(0, next.dueNanos - clock.nanos());
        }

        private void end(String cause) {
            closed = true;
            worker.close();
            sessions.remove(this);
            handler.closed(cause);
        }

        private boolean isRoom() {
            return inboxBytes < WRITABLE_BYTES;
        }

        @Override
        public void send(Message message) {
            if (closed || silent || !machine.isAlive()) {
                return;
            }
            Message sent = flipNext && message instanceof Message.WalData data ? flipped(data) : message;
            ByteBuffer frame = ByteBuffer.allocate(MessageCodec.frameBytes(sent));
            MessageCodec.encode(sent, frame);
            frame.flip();
            if (message instanceof Message.StartReplication start) {
                asked = start;
            } else if (message instanceof Message.ReplicationStarted started) {
                answered.answered(peer.asked, started);
            }
            peer.arrives(frame, null);
        }

        /**
         * Changes a bit of the WAL, unseen by the frame's CRC. Spares page headers, some bits of which mean nothing, and the half
         * words in which lengths of records stand: a record that seems longer is found out only when so much has come.
         */
        private Message.WalData flipped(Message.WalData data) {
            flipNext = false;
            ByteBuffer bytes = ByteBuffer.allocate(data.bytes().remaining());
            bytes.put(data.bytes().duplicate()).flip();
            int at = random.nextInt(bytes.limit());
            long lsn = data.startLsn() + at;
            if (lsn % WalLayout.PAGE_BYTES >= PageHeader.LONG_BYTES && lsn % Long.BYTES >= Integer.BYTES) {
                tally.count(Event.BIT_FLIPPED);
                bytes.put(at, (byte) (bytes.get(at) ^ 1 << random.nextInt(8)));
            }
            return new Message.WalData(data.startLsn(), data.endLsn(), data.flushedLsn(), data.sentAtMicros(), bytes);
        }

        private void arrives(ByteBuffer frame, String cause) {
            if (silent) {
                return;
            }
            lastDueNanos = Math.max(lastDueNanos, clock.nanos() + delay());
            inbox.add(new Item(lastDueNanos, frame, cause));
            inboxBytes += frame == null ? 0 : frame.capacity();
            worker.wake();
        }

        @Override
        public boolean isWritable() {
            if (closed || !peer.isRoom()) {
                wasFull = !closed;
                return false;
            }
            return true;
        }

        @Override
        public Peer peer() {
            return new Peer("sim", "", false);
        }

        @Override
        public void close(String cause) {
            if (!closed) {
                closed = true;
                if (cause.startsWith("moved to")) {
                    tally.count(Event.MOVED);
                }
                peer.arrives(null, "closed by the peer");
                inbox.clear();
                inboxBytes = 0;
                inbox.add(new Item(clock.nanos(), null, cause));
                worker.wake();
            }
        }

        void cutBoth(String cause) {
            cut(cause);
            peer.cut(cause);
        }

        /** Ends the session after some of what is under way has arrived; one that has been closed, cut or silenced stays as it is. */
        void cut(String cause) {
            if (closed || silent || !sessions.contains(this)) {
                return;
            }
            for (int lost = random.nextInt(inbox.size() + 1); lost > 0; lost--) {
                Item item = inbox.removeLast();
                inboxBytes -= item.frame == null ? 0 : item.frame.capacity();
            }
            arrives(null, cause);
            silent = true;
        }

        void silence() {
            silent = true;
            peer.silent = true;
        }
    }
}
