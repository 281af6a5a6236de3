package lockstep.transport.ssh;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import lockstep.config.Units;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Peer;
import org.apache.sshd.common.AttributeRepository.AttributeKey;
import org.apache.sshd.common.channel.Channel;
import org.apache.sshd.common.future.CloseFuture;
import org.apache.sshd.common.io.IoAcceptor;
import org.apache.sshd.common.io.nio2.Nio2ServiceFactoryFactory;
import org.apache.sshd.common.kex.KexProposalOption;
import org.apache.sshd.common.keyprovider.KeyPairProvider;
import org.apache.sshd.common.session.Session;
import org.apache.sshd.common.session.SessionListener;
import org.apache.sshd.core.CoreModuleProperties;
import org.apache.sshd.server.Environment;
import org.apache.sshd.server.ExitCallback;
import org.apache.sshd.server.ServerBuilder;
import org.apache.sshd.server.SshServer;
import org.apache.sshd.server.auth.pubkey.UserAuthPublicKeyFactory;
import org.apache.sshd.server.channel.ChannelSession;
import org.apache.sshd.server.channel.ChannelSessionFactory;
import org.apache.sshd.server.command.Command;
import org.apache.sshd.server.forward.RejectAllForwardingFilter;
import org.apache.sshd.server.subsystem.SubsystemFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An SSH server that can do one thing: carry sessions in the subsystem {@value ClientLink#SUBSYSTEM}, for machines that
 * have no SSH server or let nobody log in. There is no shell, no command and no forwarding, and nothing but keys lets
 * anybody in.
 *
 * <p><b>Before authentication</b> a connection has {@code login_grace_time} and {@code max_auth_tries}, and there are no
 * more than {@code max_startups} of them.
 *
 * <p><b>Life.</b> Closing lets nobody in any more. The server itself, with the threads that carry the sessions that are
 * still open, stops when the last of them has ended, or when the transport is withdrawn.
 */
final class EmbeddedServer implements Listener {
    private static final Logger log = LoggerFactory.getLogger(EmbeddedServer.class);
    private static final AttributeKey<Boolean> LET_IN = new AttributeKey<>();

    private static final long STOP_MS = 5_000;

    /** For a property that cannot be switched off. */
    private static final Duration EVER = Duration.ofDays(10_000);

    /** MINA's server, which can be closed to newcomers only. */
    private static final class Server extends SshServer {
        void unbind() {
            IoAcceptor open = acceptor;
            if (open != null) {
                open.unbind();
            }
        }

        int port() {
            return ((InetSocketAddress) getBoundAddresses().iterator().next()).getPort();
        }
    }

    private final Threads threads;
    private final Server server;
    private final Reception reception;
    private final Endpoint endpoint;
    private final int maxStartups;
    private final AtomicInteger connections = new AtomicInteger();
    private final AtomicInteger startups = new AtomicInteger();
    private final AtomicBoolean stopped = new AtomicBoolean();
    private final Runnable stop = this::stop;
    private volatile boolean closed;

    /** Listens. */
    EmbeddedServer(SshEndpoint at, SshConfiguration config, Path directory, Acceptor acceptor, Threads threads)
            throws IOException {
        this.threads = threads;
        maxStartups = config.maxStartups();
        server = (Server) ServerBuilder.builder().factory(Server::new).build();
        reception = new Reception(
                "SSH server on " + at.endpoint(), acceptor, (int) Units.millis(config.connectTimeout()), threads);
        configure(at, config, directory);
        threads.server(stop);
        endpoint = start(at);
    }

    private Endpoint start(SshEndpoint at) throws IOException {
        boolean started = false;
        try {
            server.start();
            started = true;
            return at.withPort(server.port());
        } finally {
            if (!started) {
                stop(); // it has threads all the same
            }
        }
    }

    private void configure(SshEndpoint at, SshConfiguration config, Path directory) throws IOException {
        Path home = Path.of(System.getProperty("user.home"));
        server.setHost(SshEndpoint.bare(at.host()));
        server.setPort(at.port());
        server.setKeyPairProvider(
                KeyPairProvider.wrap(HostKey.loadOrCreate(ClientSettings.path(config.hostKey(), directory, home))));
        server.setPublickeyAuthenticator(
                new AuthorizedKeys(ClientSettings.path(config.authorizedKeysFile(), directory, home)));
        server.setUserAuthFactories(List.of(UserAuthPublicKeyFactory.INSTANCE));
        server.setForwardingFilter(RejectAllForwardingFilter.INSTANCE);
        server.setChannelFactories(List.of(new Channels()));
        server.setSubsystemFactories(List.of(new Subsystem()));
        server.setScheduledExecutorService(threads.timer(), false);
        server.setIoServiceFactoryFactory(new Nio2ServiceFactoryFactory());
        server.addSessionListener(new Limits());
        CoreModuleProperties.AUTH_TIMEOUT.set(server, Duration.ofMillis(Units.millis(config.loginGraceTime())));
        CoreModuleProperties.MAX_AUTH_REQUESTS.set(server, config.maxAuthTries());
        CoreModuleProperties.MAX_CONCURRENT_CHANNELS.set(server, 1);
        CoreModuleProperties.IDLE_TIMEOUT.set(server, Duration.ZERO);
        CoreModuleProperties.NIO2_READ_TIMEOUT.set(server, Duration.ZERO);
        CoreModuleProperties.WAIT_FOR_SPACE_TIMEOUT.set(server, EVER);
        CoreModuleProperties.REKEY_BYTES_LIMIT.set(server, Units.bytes(config.rekeyLimit()));
        CoreModuleProperties.SERVER_IDENTIFICATION.set(server, "Lockstep");
    }

    @Override
    public Endpoint endpoint() {
        return endpoint;
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            reception.close();
            server.unbind();
            stopIfUnused();
        }
    }

    private void stopIfUnused() {
        if (closed && connections.get() == 0) {
            var unused = threads.after(0, stop);
        }
    }

    private void stop() {
        if (stopped.compareAndSet(false, true)) {
            threads.stopped(stop);
            if (!server.close(true).awaitUninterruptibly(STOP_MS)) {
                log.warn("{} has not stopped within {} ms", this, STOP_MS);
            }
        }
    }

    /** Bounds those who have not shown a key yet. */
    private final class Limits implements SessionListener {
        @Override
        public void sessionCreated(Session session) {
            connections.incrementAndGet();
            if (startups.incrementAndGet() > maxStartups) {
                log.warn(
                        "{} refuses {}: {} connections are unauthenticated already (ssh.max_startups)",
                        EmbeddedServer.this,
                        session.getRemoteAddress(),
                        maxStartups);
                CloseFuture unused = session.close(true);
            }
        }

        @Override
        public void sessionEvent(Session session, Event event) {
            if (event == Event.Authenticated && session.setAttribute(LET_IN, true) == null) {
                startups.decrementAndGet();
            }
        }

        @Override
        public void sessionClosed(Session session) {
            if (session.getAttribute(LET_IN) == null) {
                startups.decrementAndGet();
            }
            connections.decrementAndGet();
            stopIfUnused();
        }
    }

    /** Makes the only kind of channel there is. */
    private static final class Channels extends ChannelSessionFactory {
        @Override
        public Channel createChannel(Session session) {
            return new WalChannel();
        }
    }

    /** Begins a session in a channel. */
    private final class Subsystem implements SubsystemFactory {
        @Override
        public String getName() {
            return ClientLink.SUBSYSTEM;
        }

        @Override
        public Command createSubsystem(ChannelSession channel) {
            return new Arrival();
        }
    }

    /** What MINA calls a command. */
    private final class Arrival implements Command {
        private InputStream in;
        private OutputStream out;

        @Override
        public void setInputStream(InputStream in) {
            this.in = in;
        }

        @Override
        public void setOutputStream(OutputStream out) {
            this.out = out;
        }

        @Override
        public void setErrorStream(OutputStream err) {
            // Nothing is said there.
        }

        @Override
        public void setExitCallback(ExitCallback callback) {
            // The session ends the channel.
        }

        @Override
        public void start(ChannelSession channel, Environment environment) {
            InetSocketAddress remote =
                    (InetSocketAddress) channel.getSession().getIoSession().getRemoteAddress();
            String address = remote.getAddress().getHostAddress() + ":" + remote.getPort();
            Session session = channel.getSession();
            Map<String, String> facts = new LinkedHashMap<>();
            facts.put(Peer.AUTHENTICATION, UserAuthPublicKeyFactory.NAME);
            facts.put(Peer.ENCRYPTION, "SSH-2.0");
            facts.put(Peer.CIPHER, session.getNegotiatedKexParameter(KexProposalOption.S2CENC));
            Peer peer =
                    new Peer(address, session.getAttribute(AuthorizedKeys.IDENTITY), false, Optional.empty(), facts);
            reception.admit(new ChannelLink((WalChannel) channel, in, out, peer, threads), address);
        }

        @Override
        public void destroy(ChannelSession channel) {
            // The reader finds that the channel has ended.
        }
    }

    @Override
    public String toString() {
        return "SSH server on " + endpoint;
    }
}
