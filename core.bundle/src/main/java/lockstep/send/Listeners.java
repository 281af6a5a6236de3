package lockstep.send;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import lockstep.config.ServerConfiguration;
import lockstep.security.Security;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import lockstep.transports.Carrier;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens for standbys on the configured endpoints ({@code listen_addresses}), each through the transport of its scheme,
 * while this server serves standbys. Knows no role: a primary and a standby each register their {@link WalSenders} while
 * they can serve, and with a change of the role others take their place. Transports come and go as well: an endpoint whose
 * transport is not there waits for it. Thread-safe.
 */
@Component(
        service = Listeners.class,
        immediate = true,
        configurationPid = ServerConfiguration.PID,
        configurationPolicy = ConfigurationPolicy.REQUIRE)
public final class Listeners {
    private static final String NOT_SERVING = "the server cannot serve standbys now";
    private static final Logger log = LoggerFactory.getLogger(Listeners.class);

    /**
     * An endpoint and how it stands.
     *
     * @param state {@code listening}, or why not
     */
    public record View(String endpoint, String state) {
        private static final String LISTENING = "listening";

        /** Returns whether it is listened on. */
        public boolean isListening() {
            return state.equals(LISTENING);
        }
    }

    private final List<Transport> transports = new ArrayList<>();
    private final Map<Endpoint, Listener> open = new LinkedHashMap<>();
    private final Map<Endpoint, String> troubles = new LinkedHashMap<>();
    private final Security security;
    private List<Endpoint> endpoints;
    private WalSenders senders;

    /** Listens nowhere yet. */
    @Activate
    public Listeners(ServerConfiguration configuration, @Reference Security security) {
        this.security = security;
        endpoints = endpoints(configuration);
    }

    private static List<Endpoint> endpoints(ServerConfiguration values) {
        return Arrays.stream(values.listenAddresses().split("[,\\s]+", -1))
                .filter(address -> !address.isEmpty())
                .map(Endpoint::parse)
                .toList();
    }

    /** Listens on the endpoints that are configured now, and no others. */
    @Modified
    synchronized void configure(ServerConfiguration changed) {
        endpoints = endpoints(changed);
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
    @Reference(
            service = Carrier.class,
            cardinality = ReferenceCardinality.MULTIPLE,
            policy = ReferencePolicy.DYNAMIC,
            unbind = "removeTransport")
    synchronized void addTransport(Transport transport) {
        transports.add(transport);
        listen();
    }

    /** Forgets a transport that is leaving. */
    synchronized void removeTransport(Transport transport) {
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

    /** Hands standbys to these senders from now on. */
    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY,
            unbind = "removeSenders")
    synchronized void setSenders(WalSenders serving) {
        close();
        senders = serving;
        listen();
    }

    /** Lets nobody in any more, unless others serve by now. */
    synchronized void removeSenders(WalSenders leaving) {
        if (senders == leaving) {
            senders = null;
            close();
        }
    }

    private void listen() {
        if (senders == null) {
            return;
        }
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
                    Listener listener = transport.listen(endpoint, new Doorman(endpoint.scheme(), security, senders));
                    open.put(endpoint, listener);
                    troubles.remove(endpoint);
                    log.info("listening on {}", listener.endpoint());
                    return;
                } catch (TransportException | IllegalStateException e) {
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
        String otherwise = senders == null ? NOT_SERVING : "not listening";
        List<View> views = new ArrayList<>();
        for (Endpoint endpoint : endpoints) {
            Listener listener = open.get(endpoint);
            views.add(
                    listener == null
                            ? new View(endpoint.toString(), troubles.getOrDefault(endpoint, otherwise))
                            : new View(listener.endpoint().toString(), View.LISTENING));
        }
        return views;
    }

    /** Listens nowhere any more. */
    @Deactivate
    synchronized void close() {
        open.values().forEach(Listener::close);
        open.clear();
        troubles.clear();
    }
}
