package lockstep.transport.ssh;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import lockstep.io.DataDirectory;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.component.annotations.Reference;

/**
 * Carries messages over SSH, as {@link SshEndpoint} tells. A changed parameter counts for what is opened from then on.
 */
@Component(
        service = Transport.class,
        configurationPid = SshConfiguration.PID,
        configurationPolicy = ConfigurationPolicy.REQUIRE)
public final class SshTransport implements Transport {
    static final String WITHDRAWN = "transport withdrawn";

    private final Path directory;
    private final Map<String, String> environment;
    private final Threads threads = new Threads();
    private volatile SshConfiguration config;

    /** Starts nothing yet: threads come with listeners and sessions. */
    @Activate
    public SshTransport(@Reference DataDirectory directory, SshConfiguration config) {
        this(directory.path(), System.getenv(), config);
    }

    SshTransport(Path directory, Map<String, String> environment, SshConfiguration config) {
        this.directory = directory;
        this.environment = environment;
        this.config = config;
    }

    /** Takes other parameters. Sessions that are open keep theirs. */
    @Modified
    public void configure(SshConfiguration changed) {
        config = changed;
    }

    @Override
    public String scheme() {
        return SshEndpoint.SCHEME;
    }

    @Override
    public Listener listen(Endpoint endpoint, Acceptor acceptor) throws TransportException {
        SshEndpoint at = SshEndpoint.listening(endpoint);
        try {
            return at.door() instanceof SshEndpoint.Subsystem
                    ? new EmbeddedServer(at, config, directory, acceptor, threads)
                    : new SocketListener(at, acceptor, settings().openMs(), threads).start();
        } catch (IOException e) {
            throw new TransportException("cannot listen on " + endpoint + ": " + e.getMessage(), e);
        }
    }

    private ClientSettings settings() {
        return ClientSettings.of(config, directory, environment);
    }

    @Override
    public Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException {
        SshEndpoint to = SshEndpoint.connecting(endpoint);
        Departure departure = new Departure(handler);
        try {
            ClientSettings settings = settings();
            SshSession session = new SshSession(
                    new ClientLink(to, settings, threads), true, settings.openMs(), to.server(), departure, threads);
            threads.start("ssh-session-" + to.server(), session::run, () -> session.close(WITHDRAWN));
            return departure.await(session, settings.openMs());
        } catch (IOException e) {
            throw new TransportException("cannot connect to " + endpoint + ": " + e.getMessage(), e);
        }
    }

    /** Closes all that is open, and returns when the threads have ended. */
    @Deactivate
    public void close() {
        threads.withdraw();
    }

    /** Waits for a session to open. Time-out and opening race; whichever completes the future first has won. */
    private static final class Departure implements SshSession.Opening {
        private final SessionHandler handler;
        private final CompletableFuture<SshSession> open = new CompletableFuture<>();

        Departure(SessionHandler handler) {
            this.handler = handler;
        }

        @Override
        public SessionHandler opened(SshSession session) {
            return open.complete(session) ? handler : null;
        }

        @Override
        public void failed(String why, Throwable reason) {
            open.completeExceptionally(new IOException(why, reason));
        }

        Session await(SshSession session, int openMs) throws IOException {
            try {
                open.get(openMs, TimeUnit.MILLISECONDS);
            } catch (TimeoutException e) {
                failed("no session within " + openMs + " ms", e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                failed("interrupted", e);
            } catch (ExecutionException e) {
                // Told below, where the future is read again.
            }
            try {
                return open.join();
            } catch (CompletionException e) {
                session.close(e.getCause().getMessage());
                throw new IOException(e.getCause().getMessage(), e.getCause());
            }
        }
    }
}
