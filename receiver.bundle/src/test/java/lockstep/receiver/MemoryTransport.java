package lockstep.receiver;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.BackupData;
import lockstep.transport.api.Message.WalData;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;

/** Carries messages within one process, each direction of a session on a thread of its own. */
final class MemoryTransport implements Transport {
    static final String SCHEME = "memory";

    private final Map<Endpoint, Acceptor> listeners = new ConcurrentHashMap<>();
    private final List<End> open = new CopyOnWriteArrayList<>();

    @Override
    public String scheme() {
        return SCHEME;
    }

    @Override
    public Listener listen(Endpoint endpoint, Acceptor acceptor) {
        listeners.put(endpoint, acceptor);
        return new Listener() {
            @Override
            public Endpoint endpoint() {
                return endpoint;
            }

            @Override
            public void close() {
                listeners.remove(endpoint);
            }
        };
    }

    @Override
    public Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException {
        Acceptor acceptor = listeners.get(endpoint);
        if (acceptor == null) {
            throw new TransportException("nobody listens on " + endpoint);
        }
        End near = new End("near");
        End far = new End("far");
        near.other = far;
        far.other = near;
        near.handler = handler;
        far.handler = acceptor.accept(far);
        open.add(near);
        return near;
    }

    /** Ends all sessions, as a bundle does that stops. */
    void withdraw() {
        open.forEach(end -> end.close("transport withdrawn"));
    }

    private static final class End implements Session {
        private final ExecutorService thread;
        private End other;
        private SessionHandler handler;
        private boolean closed;

        End(String name) {
            thread = Executors.newSingleThreadExecutor(work -> {
                Thread made = new Thread(work, "memory-" + name);
                made.setDaemon(true);
                return made;
            });
        }

        @Override
        public void send(Message message) {
            other.deliver(copy(message));
        }

        private synchronized void deliver(Message message) {
            if (!closed) {
                thread.execute(() -> {
                    handler.received(this, message);
                    handler.endOfBatch();
                });
            }
        }

        private static Message copy(Message message) {
            if (message instanceof WalData data) {
                return new WalData(
                        data.startLsn(), data.endLsn(), data.flushedLsn(), data.sentAtMicros(), copy(data.bytes()));
            }
            return message instanceof BackupData data ? new BackupData(copy(data.bytes())) : message;
        }

        private static ByteBuffer copy(ByteBuffer bytes) {
            return ByteBuffer.allocate(bytes.remaining()).put(bytes.duplicate()).flip();
        }

        @Override
        public boolean isWritable() {
            return true;
        }

        @Override
        public Peer peer() {
            return new Peer("memory", "", false);
        }

        @Override
        public void close(String cause) {
            shut(cause);
            other.shut(cause);
        }

        private synchronized void shut(String cause) {
            if (!closed) {
                closed = true;
                thread.execute(() -> handler.closed(cause));
                thread.shutdown();
            }
        }
    }
}
