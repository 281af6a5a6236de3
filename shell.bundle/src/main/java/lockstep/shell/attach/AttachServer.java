package lockstep.shell.attach;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import jdk.net.ExtendedSocketOptions;
import lockstep.io.DataDirectory;
import lockstep.io.Hindrance;
import lockstep.io.Readiness;
import lockstep.send.Listeners;
import lockstep.shell.wire.FrameChannel;
import org.apache.felix.gogo.jline.Shell;
import org.apache.felix.gogo.runtime.CommandProcessorImpl;
import org.apache.felix.service.command.CommandProcessor;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.osgi.service.condition.Condition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets the owner of the data directory into the shell of the running server, through the socket {@code lockstep.sock}.
 *
 * <p>Nobody else can open the socket, because the file mode says so, and nobody else is served, because the kernel
 * tells who connected. A thread named {@code attach} accepts; each client is an {@link AttachSession}.
 */
@Component(
        service = {},
        immediate = true)
public final class AttachServer {
    private static final String SOCKET = "lockstep.sock";
    private static final String OWNER_ONLY = "rw-------";
    private static final Logger log = LoggerFactory.getLogger(AttachServer.class);

    private final Path directory;
    private final UserPrincipal owner;
    private final CommandProcessorImpl processor;
    private final Shell shell;
    private final Set<AttachSession> sessions = ConcurrentHashMap.newKeySet();
    private final ServerSocketChannel socket;
    private final Thread acceptor;
    private int accepted;

    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            target = "(" + Condition.CONDITION_ID + "=" + Readiness.CONDITION + ")")
    private volatile Condition ready;

    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    private volatile Hindrance hindrance;

    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    private volatile Listeners listeners;

    /** Opens the socket. */
    @Activate
    public AttachServer(@Reference DataDirectory data, @Reference CommandProcessor processor, @Reference Shell shell)
            throws IOException {
        // Gogo has one kind only; its sessions are made of it.
        this.processor = (CommandProcessorImpl) processor;
        this.shell = shell;
        directory = data.path();
        owner = Files.getOwner(directory);
        Path path = directory.resolve(SOCKET);
        // The lock of the data directory is ours, so a socket that is there belongs to nobody.
        Files.deleteIfExists(path);
        socket = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            socket.bind(UnixDomainSocketAddress.of(path));
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(OWNER_ONLY));
        } catch (IOException e) {
            socket.close();
            throw e;
        }
        acceptor = new Thread(this::accept, "attach");
        acceptor.setDaemon(true);
        acceptor.start();
    }

    private void accept() {
        try {
            while (true) {
                SocketChannel client = socket.accept();
                try {
                    admit(client);
                } catch (IOException e) {
                    log.warn("A client of {} was lost: {}", SOCKET, e.getMessage());
                    client.close();
                }
            }
        } catch (ClosedChannelException e) {
            // We are being deactivated.
        } catch (IOException e) {
            log.error("{} takes no more clients: {}", directory.resolve(SOCKET), e.toString());
        }
    }

    private void admit(SocketChannel client) throws IOException {
        UserPrincipal user = client.getOption(ExtendedSocketOptions.SO_PEERCRED).user();
        FrameChannel channel = new FrameChannel(client);
        if (!user.equals(owner)) {
            log.warn("{} was refused by {}: only {} may attach", user, SOCKET, owner);
            AttachSession.refuse(
                    channel, "only " + owner + ", who owns " + directory + ", may attach; you are " + user);
            return;
        }
        accepted++;
        AttachSession session = new AttachSession(
                "attach-" + accepted,
                user.getName(),
                channel,
                processor,
                shell,
                directory,
                this::isReady,
                this::obstacle,
                sessions::remove);
        sessions.add(session);
        session.start();
    }

    /** Who cannot listen where it is told to is not ready. */
    private boolean isReady() {
        Listeners present = listeners;
        return ready != null && (present == null || !present.hasFailed());
    }

    /** What keeps the server from its work; when it is ready, from a part of it. */
    private String obstacle() {
        Hindrance hindering = hindrance;
        String reason = ready != null || hindering == null ? "" : hindering.reason();
        Listeners present = listeners;
        return !reason.isEmpty() || present == null ? reason : present.trouble();
    }

    /** Closes the socket and ends what the clients run. */
    @Deactivate
    public void close() throws IOException, InterruptedException {
        socket.close();
        acceptor.join();
        for (AttachSession session : sessions) {
            session.close();
        }
        Files.deleteIfExists(directory.resolve(SOCKET));
    }
}
