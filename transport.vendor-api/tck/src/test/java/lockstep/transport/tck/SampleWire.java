package lockstep.transport.tck;

import java.util.ArrayList;
import java.util.List;
import lockstep.transport.api.Endpoint;

/** A wire of which a sample session knows: it asks what to do with what the client sends. */
final class SampleWire implements Wire {
    private final SampleNet net;
    private final Endpoint endpoint;
    private final Endpoint listening;
    private final List<SampleSession> sessions = new ArrayList<>();
    private Damage damage;
    private long unharmedBytes;
    private boolean stalled;

    SampleWire(SampleNet net, Endpoint listening) {
        this.net = net;
        this.listening = listening;
        endpoint = net.anywhere();
        net.wires.put(endpoint, this);
    }

    @Override
    public Endpoint endpoint() {
        return endpoint;
    }

    Endpoint listening() {
        return listening;
    }

    synchronized void carries(SampleSession session) {
        sessions.add(session);
    }

    @Override
    public synchronized void damage(Damage kind, long afterBytes) {
        damage = kind;
        unharmedBytes = afterBytes;
    }

    /** Takes a frame; returns what comes of it. */
    synchronized List<byte[]> pass(byte[] frame) {
        unharmedBytes -= frame.length;
        if (damage == null || unharmedBytes >= 0) {
            return List.of(frame);
        }
        Damage hit = damage;
        damage = null;
        return switch (hit) {
            case DUPLICATE -> List.of(frame, frame);
            case DROP -> List.of();
            case FLIP -> {
                frame[frame.length - 1] ^= 1;
                yield List.of(frame);
            }
        };
    }

    @Override
    public void delay(long ms) {}

    @Override
    public synchronized void stall() {
        stalled = true;
    }

    synchronized boolean isStalled() {
        return stalled;
    }

    @Override
    public void resume() {
        synchronized (this) {
            stalled = false;
        }
        copy().forEach(SampleSession::wake);
    }

    @Override
    public void cut() {
        copy().forEach(session -> session.close("cut"));
    }

    private synchronized List<SampleSession> copy() {
        return List.copyOf(sessions);
    }

    @Override
    public void close() {
        resume();
        cut();
        net.wires.remove(endpoint);
    }
}
