package lockstep.transport.tck;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import lockstep.transport.api.Endpoint;

/** What sample transports have in common: who listens where. Also what a defective one leaves behind. */
final class SampleNet {
    final Map<Endpoint, SampleTransport.Door> doors = new ConcurrentHashMap<>();
    final Map<Endpoint, SampleWire> wires = new ConcurrentHashMap<>();
    final ReentrantLock oneAtATime = new ReentrantLock();
    final List<Object> leaked = new ArrayList<>();
    private final AtomicInteger places = new AtomicInteger();

    Endpoint anywhere() {
        return Endpoint.parse(SampleTransport.SCHEME + "://place-" + places.incrementAndGet());
    }
}
