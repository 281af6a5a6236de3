package lockstep.transport.tcp;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Transport;
import lockstep.transport.tck.TransportContract;

/** The contract, for TCP on this machine. */
abstract class TcpContract extends TransportContract {
    static final int OPEN_MS = 10_000;

    /** What endpoints have behind the port. */
    String query() {
        return "";
    }

    @Override
    protected final void withdraw(Transport transport) {
        if (transport != null) {
            ((TcpTransport) transport).close();
        }
    }

    @Override
    protected final Endpoint anywhere() {
        return Endpoint.parse("tcp://127.0.0.1:0" + query());
    }

    @Override
    protected final Endpoint nowhere() throws IOException {
        try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return Endpoint.parse("tcp://127.0.0.1:" + socket.getLocalPort() + query());
        }
    }
}
