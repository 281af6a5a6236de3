package lockstep.transport.tcp;

import java.nio.file.Path;
import java.util.Map;
import lockstep.security.Security;
import lockstep.security.SecuritySettings;
import lockstep.transport.api.Transport;
import lockstep.transport.netty.SocketIo;
import org.junit.jupiter.api.io.TempDir;

/** The contract, with bulk data compressed. */
class Lz4TransportTest extends TcpContract {
    private static final int RECONNECTS = 200;

    @TempDir
    static Path folder;

    @Override
    protected Transport create() {
        return new TcpTransport(
                SocketIo.best(), OPEN_MS, new Security(folder, Map.of(), SecuritySettings.except(Map.of())));
    }

    @Override
    String query() {
        return "?compression=lz4";
    }

    @Override
    protected int reconnects() {
        return RECONNECTS;
    }
}
