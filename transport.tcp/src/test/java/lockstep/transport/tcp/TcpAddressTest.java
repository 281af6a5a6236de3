package lockstep.transport.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import lockstep.transport.api.Endpoint;
import lockstep.transport.api.TransportException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TcpAddressTest {
    @ParameterizedTest
    @CsvSource({
        "tcp://127.0.0.1:5440, 127.0.0.1, 5440",
        "tcp://db_1.example:1, db_1.example, 1",
        "tcp://[::1]:65535, [::1], 65535",
        "tcp://localhost:0, localhost, 0"
    })
    void anEndpointIsAHostAndAPort(String text, String host, int port) throws Exception {
        var address = TcpAddress.of(Endpoint.parse(text));
        assertEquals(new TcpAddress(host, port), address);
        assertEquals(text, address.endpoint().toString());
    }

    @ParameterizedTest
    @CsvSource({
        "tcp://127.0.0.1, no port",
        "tcp://127.0.0.1:, no port",
        "tcp://[::1], no port",
        "tcp://::1:5440, no brackets around its IPv6 address",
        "tcp://h:65536, the port 65536",
        "tcp://h:5440x, the port 5440x",
        "tcp://h:-1, the port -1",
        "tcp://:5440, no host",
        "tcp:h:5440, no host",
        "tcp:///x, no host",
        "tcp://me@h:5440, a user",
        "tcp://h:5440/, a path",
        "tcp://h:5440?tls=on, a query",
        "tcp://h:5440#x, a fragment",
        "ssh://h:5440, the scheme ssh"
    })
    void anythingElseIsRefusedWithAnExample(String text, String found) {
        var e = assertThrows(TransportException.class, () -> TcpAddress.of(Endpoint.parse(text)));
        assertEquals(
                "endpoint \"" + text + "\" has " + found
                        + ": expected tcp://HOST:PORT, such as tcp://127.0.0.1:5440 or tcp://[::1]:5440",
                e.getMessage());
    }
}
