package lockstep.transport.folder;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;

/** Carries messages as files in a folder that both sides can write to: {@code folder:///PATH}. */
@Component(service = Transport.class)
public final class FolderTransport implements Transport {
    private static final String SCHEME = "folder";
    private static final long OPEN_MS = 10_000;
    private static final long POLL_MS = 1;

    private final Threads threads = new Threads();

    @Override
    public String scheme() {
        return SCHEME;
    }

    private static Path folder(Endpoint endpoint) throws TransportException {
        URI uri = endpoint.uri();
        String path = uri.getPath();
        if (!SCHEME.equals(uri.getScheme())
                || uri.getAuthority() != null
                || path == null
                || path.length() < 2
                || uri.getQuery() != null
                || uri.getFragment() != null) {
            throw new TransportException("endpoint \"" + endpoint
                    + "\" is not of the form folder:///PATH, such as folder:///mnt/wal/primary");
        }
        return Path.of(path);
    }

    @Override
    public Listener listen(Endpoint endpoint, Acceptor acceptor) throws TransportException {
        Path folder = folder(endpoint);
        threads.check("listen on", endpoint);
        FolderListener listener = null;
        try {
            listener = new FolderListener(endpoint, folder, acceptor, threads);
            threads.start(SCHEME + "-listener-" + folder, listener::run, listener::close);
            return listener;
        } catch (IOException e) {
            if (listener != null) {
                listener.close();
            }
            throw new TransportException("cannot listen on " + endpoint + ": " + e.getMessage(), e);
        }
    }

    @Override
    public Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException {
        Path folder = folder(endpoint);
        threads.check("connect to", endpoint);
        if (!Files.exists(folder.resolve(FolderListener.MARK))) {
            throw new TransportException("cannot connect to " + endpoint + ": nobody listens; is the server running?");
        }
        try {
            Path request = FolderSession.request(folder.resolve(FolderListener.SESSIONS));
            awaitAccepted(request, folder);
            Peer peer = new Peer(folder + "/" + request.getFileName(), "", false);
            FolderSession session = FolderSession.connected(request, peer);
            threads.start(
                    SCHEME + "-session-" + request.getFileName(),
                    () -> session.run(its -> handler),
                    () -> session.close(Threads.WITHDRAWN));
            return session;
        } catch (IOException e) {
            throw new TransportException("cannot connect to " + endpoint + ": " + e.getMessage(), e);
        }
    }

    private void awaitAccepted(Path request, Path folder) throws IOException {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(OPEN_MS);
        String trouble = null;
        try {
            while (trouble == null && !Files.exists(request.resolve(FolderSession.ACCEPTED))) {
                if (threads.isWithdrawn()) {
                    trouble = Threads.WITHDRAWN;
                } else if (!Files.exists(folder.resolve(FolderListener.MARK))) {
                    trouble = "the listener has closed";
                } else if (System.nanoTime() - deadline > 0) {
                    trouble = "not accepted within " + OPEN_MS + " ms; does the server live?";
                }
                TimeUnit.MILLISECONDS.sleep(POLL_MS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            trouble = "interrupted";
        }
        if (trouble != null) {
            FolderSession.delete(request);
            throw new TransportException(trouble);
        }
    }

    /** Closes all that is open, and returns when the threads have ended. */
    @Deactivate
    public void close() {
        threads.withdraw();
    }
}
