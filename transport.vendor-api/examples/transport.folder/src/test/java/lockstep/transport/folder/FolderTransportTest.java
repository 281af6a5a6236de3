package lockstep.transport.folder;

import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Transport;
import lockstep.transport.tck.TransportContract;
import org.junit.jupiter.api.io.TempDir;

final class FolderTransportTest extends TransportContract {
    @TempDir
    private Path folder;

    private final AtomicInteger folders = new AtomicInteger();

    @Override
    protected Transport create() {
        return new FolderTransport();
    }

    @Override
    protected void withdraw(Transport transport) {
        if (transport != null) {
            ((FolderTransport) transport).close();
        }
    }

    @Override
    protected Endpoint anywhere() {
        return Endpoint.parse("folder://" + folder + "/" + folders.incrementAndGet());
    }

    @Override
    protected Endpoint nowhere() {
        return anywhere();
    }

    /** Opening takes some milliseconds, until the other side has looked. */
    @Override
    protected int reconnects() {
        return 200;
    }
}
