package lockstep.receiver;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import lockstep.transport.api.Transport;

/**
 * The transports that are here now. They come and go with their bundles, on any thread. Of two that serve one scheme the
 * one that came first is used, so that an update in which old and new overlap changes nothing until the old one leaves.
 */
final class Transports {
    /** Hears of comings and goings. */
    interface Listener {
        void arrived(Transport transport);

        /** The transport must not be used any more; its sessions are about to end. */
        void left(Transport transport);
    }

    private final List<Transport> present = new CopyOnWriteArrayList<>();
    private final List<Listener> listeners = new CopyOnWriteArrayList<>();

    void add(Transport transport) {
        present.add(transport);
        tell(listener -> listener.arrived(transport));
    }

    void remove(Transport transport) {
        if (present.remove(transport)) {
            tell(listener -> listener.left(transport));
        }
    }

    Optional<Transport> get(String scheme) {
        return present.stream()
                .filter(transport -> transport.scheme().equals(scheme))
                .findFirst();
    }

    void addListener(Listener listener) {
        listeners.add(listener);
    }

    void removeListener(Listener listener) {
        listeners.remove(listener);
    }

    private void tell(Consumer<Listener> message) {
        listeners.forEach(message);
    }
}
