package lockstep.transport.tcp;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.Map;
import lockstep.security.Security;
import lockstep.security.SecuritySettings;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Transport;
import lockstep.transport.netty.SocketIo;
import lockstep.transport.tck.TransportContract;
import org.junit.jupiter.api.io.TempDir;

/** The contract, with bulk data compressed. */
class Lz4TransportTest extends TransportContract {
    private static final int OPEN_MS = 10_000;
    private static final int RECONNECTS = 200;

    @TempDir
    static Path folder;

    @Override
    protected Transport create() {
        return new TcpTransport(
                SocketIo.best(), OPEN_MS, new Security(folder, Map.of(), SecuritySettings.except(Map.of())));
    }

    @Override
    protected void withdraw(Transport transport) {
        if (transport != null) {
            ((TcpTransport) transport).close();
        }
    }

    @Override
    protected Endpoint anywhere() {
        return Endpoint.parse("tcp://127.0.0.1:0?compression=lz4");
    }

    @Override
    protected Endpoint nowhere() throws IOException {
        try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return Endpoint.parse("tcp://127.0.0.1:" + socket.getLocalPort() + "?compression=lz4");
        }
    }

    @Override
    protected int reconnects() {
        return RECONNECTS;
    }
}
