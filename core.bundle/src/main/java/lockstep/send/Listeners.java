package lockstep.send;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens for standbys on the configured endpoints ({@code listen_addresses}), each through the transport of its scheme.
 * Transports come and go: an endpoint whose transport is not there waits for it. Thread-safe.
 */
public final class Listeners implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Listeners.class);

    /**
     * An endpoint and how it stands.
     *
     * @param state {@code listening}, or why not
     */
    public record View(String endpoint, String state) {}

    private final Acceptor acceptor;
    private final List<Transport> transports = new ArrayList<>();
    private final Map<Endpoint, Listener> open = new LinkedHashMap<>();
    private final Map<Endpoint, String> troubles = new LinkedHashMap<>();
    private List<Endpoint> endpoints = List.of();

    /** Listens nowhere yet. */
    public Listeners(Acceptor acceptor) {
        this.acceptor = acceptor;
    }

    /** Listens on these endpoints and no others. */
    public synchronized void configure(List<Endpoint> wanted) {
        endpoints = List.copyOf(wanted);
        open.entrySet().removeIf(entry -> {
            if (endpoints.contains(entry.getKey())) {
                return false;
            }
            entry.getValue().close();
            return true;
        });
        troubles.keySet().retainAll(endpoints);
        listen();
    }

    /** Uses a transport that has arrived. */
    public synchronized void add(Transport transport) {
        transports.add(transport);
        listen();
    }

    /** Forgets a transport that is leaving. */
    public synchronized void remove(Transport transport) {
        transports.remove(transport);
        open.entrySet().removeIf(entry -> {
            if (!entry.getKey().scheme().equals(transport.scheme())) {
                return false;
            }
            entry.getValue().close();
            return true;
        });
        listen();
    }

    private void listen() {
        for (Endpoint endpoint : endpoints) {
            if (!open.containsKey(endpoint)) {
                listen(endpoint);
            }
        }
    }

    private void listen(Endpoint endpoint) {
        String trouble = "there is no transport for " + endpoint.scheme() + "://";
        for (Transport transport : transports) {
            if (transport.scheme().equals(endpoint.scheme())) {
                try {
                    Listener listener = transport.listen(endpoint, acceptor);
                    open.put(endpoint, listener);
                    troubles.remove(endpoint);
                    log.info("listening on {}", listener.endpoint());
                    return;
                } catch (TransportException e) {
                    trouble = e.getMessage();
                }
            }
        }
        if (!trouble.equals(troubles.put(endpoint, trouble))) {
            log.warn("not listening on {}: {}", endpoint, trouble);
        }
    }

    /** Returns each endpoint and how it stands. */
    public synchronized List<View> view() {
        List<View> views = new ArrayList<>();
        for (Endpoint endpoint : endpoints) {
            Listener listener = open.get(endpoint);
            views.add(
                    listener == null
                            ? new View(endpoint.toString(), troubles.getOrDefault(endpoint, "not listening"))
                            : new View(listener.endpoint().toString(), "listening"));
        }
        return views;
    }

    /** Lets nobody in any more. */
    @Override
    public synchronized void close() {
        endpoints = List.of();
        open.values().forEach(Listener::close);
        open.clear();
    }
}
