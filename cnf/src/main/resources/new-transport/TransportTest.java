package @package@;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Transport;
import lockstep.transport.tck.TransportContract;

/** The test kit: some seventy checks of what a transport promises. */
final class @Name@TransportTest extends TransportContract {
    @Override
    protected Transport create() {
        return new @Name@Transport();
    }

    @Override
    protected void withdraw(Transport transport) {
        if (transport != null) {
            ((@Name@Transport) transport).close();
        }
    }

    @Override
    protected Endpoint anywhere() {
        return Endpoint.parse("@name@://127.0.0.1:0");
    }

    @Override
    protected Endpoint nowhere() throws IOException {
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return Endpoint.parse("@name@://127.0.0.1:" + free.getLocalPort());
        }
    }
}
