package lockstep.send;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import lockstep.config.Endpoints;
import lockstep.config.ServerConfiguration;
import lockstep.io.Step;
import lockstep.io.ThreadWorkers;
import lockstep.io.Worker;
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
 * transport is not there waits for it. One that cannot be listened on, because its port is taken or a file of its is not as it must
 * be, is tried again every few seconds, for what is in the way is removed without a word to us. Thread-safe.
 */
@Component(
        service = Listeners.class,
        immediate = true,
        configurationPid = ServerConfiguration.PID,
        configurationPolicy = ConfigurationPolicy.REQUIRE)
public final class Listeners {
    private static final long RETRY_NANOS = 2_000_000_000;

    /** How much longer than an attempt the pause after it is: who is slow to say no is asked seldom. */
    private static final int RETRY_FACTOR = 10;

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

    /** Why an endpoint is not listened on. */
    private record Trouble(Kind kind, String reason) {
        enum Kind {
            /** Its transport is not here, and may come. */
            ABSENT,
            /** What its transport needs is not as it must be, and may be soon. */
            REFUSED,
            /** Its transport has failed as it may not. */
            DEFECT
        }

        boolean is(Kind asked) {
            return kind == asked;
        }
    }

    private final List<Transport> transports = new ArrayList<>();
    private final Map<Endpoint, Listener> open = new LinkedHashMap<>();
    private final Map<Endpoint, Trouble> troubles = new LinkedHashMap<>();
    private final Security security;
    private final Worker worker;
    private List<Endpoint> endpoints;
    private WalSenders senders;
    private long retryNanos;

    /** Listens nowhere yet. */
    @Activate
    public Listeners(ServerConfiguration configuration, @Reference Security security) {
        this.security = security;
        endpoints = Endpoints.listenAddresses(configuration.listenAddresses());
        worker = new ThreadWorkers().start("listeners", this::retry);
    }

    /** Listens on the endpoints that are configured now, and no others. */
    @Modified
    synchronized void configure(ServerConfiguration changed) {
        endpoints = Endpoints.listenAddresses(changed.listenAddresses());
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
        closeAll();
        senders = serving;
        listen();
    }

    /** Lets nobody in any more, unless others serve by now. */
    synchronized void removeSenders(WalSenders leaving) {
        if (senders == leaving) {
            senders = null;
            closeAll();
        }
    }

    private void listen() {
        if (senders == null) {
            return;
        }
        long started = System.nanoTime();
        for (Endpoint endpoint : endpoints) {
            if (!open.containsKey(endpoint)) {
                listen(endpoint);
            }
        }
        long ended = System.nanoTime();
        retryNanos = ended + RETRY_NANOS + (ended - started) * RETRY_FACTOR;
        worker.wake();
    }

    private synchronized long retry() {
        if (senders == null || troubles.values().stream().noneMatch(trouble -> trouble.is(Trouble.Kind.REFUSED))) {
            return Step.UNTIL_WOKEN;
        }
        long left = retryNanos - System.nanoTime();
        if (left > 0) {
            return left;
        }
        listen();
        return RETRY_NANOS;
    }

    private void listen(Endpoint endpoint) {
        Trouble trouble = new Trouble(Trouble.Kind.ABSENT, "there is no transport for " + endpoint.scheme() + "://");
        for (Transport transport : transports) {
            if (transport.scheme().equals(endpoint.scheme())) {
                try {
                    Listener listener = transport.listen(endpoint, new Doorman(endpoint.scheme(), security, senders));
                    open.put(endpoint, listener);
                    troubles.remove(endpoint);
                    log.info("listening on {}", listener.endpoint());
                    return;
                } catch (TransportException e) {
                    trouble = new Trouble(Trouble.Kind.REFUSED, reason(endpoint, e));
                } catch (IllegalStateException e) {
                    trouble = new Trouble(Trouble.Kind.DEFECT, reason(endpoint, e));
                }
            }
        }
        if (!trouble.equals(troubles.put(endpoint, trouble))) {
            log.warn("not listening on {}: {}", endpoint, trouble.reason());
        }
    }

    /** Returns why, without where: transports say that, too. */
    private static String reason(Endpoint endpoint, Exception failure) {
        return String.valueOf(failure.getMessage())
                .replace("cannot listen on " + endpoint, "")
                .replaceFirst("^:? ", "");
    }

    /** Returns which endpoints are not listened on although this server would, and why, for people; empty if there are none. */
    public synchronized String trouble() {
        return troubles.entrySet().stream()
                .map(entry -> "it does not listen on " + entry.getKey() + ": "
                        + entry.getValue().reason())
                .collect(Collectors.joining("; "));
    }

    /** Returns whether an endpoint cannot be listened on though its transport is here. */
    public synchronized boolean hasFailed() {
        return troubles.values().stream().anyMatch(trouble -> !trouble.is(Trouble.Kind.ABSENT));
    }

    /** Returns each endpoint and how it stands. */
    public synchronized List<View> view() {
        List<View> views = new ArrayList<>();
        for (Endpoint endpoint : endpoints) {
            Listener listener = open.get(endpoint);
            Trouble trouble = troubles.get(endpoint);
            if (listener != null) {
                views.add(new View(listener.endpoint().toString(), View.LISTENING));
            } else if (trouble != null) {
                views.add(new View(endpoint.toString(), "not listening: " + trouble.reason()));
            } else {
                views.add(new View(endpoint.toString(), senders == null ? NOT_SERVING : "not listening"));
            }
        }
        return views;
    }

    /** Listens nowhere any more. */
    private void closeAll() {
        open.values().forEach(Listener::close);
        open.clear();
        troubles.clear();
    }

    /** Ends. */
    @Deactivate
    void close() {
        worker.close();
        synchronized (this) {
            senders = null;
            closeAll();
        }
    }
}
