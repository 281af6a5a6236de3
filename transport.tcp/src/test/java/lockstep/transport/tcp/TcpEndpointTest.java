package lockstep.transport.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.TransportException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TcpEndpointTest {
    @ParameterizedTest
    @CsvSource({
        "tcp://127.0.0.1:5440, 127.0.0.1, 5440",
        "tcp://db_1.example:1, db_1.example, 1",
        "tcp://[::1]:65535, [::1], 65535",
        "tcp://localhost:0, localhost, 0"
    })
    void anEndpointIsAHostAndAPort(String text, String host, int port) throws Exception {
        var address = TcpEndpoint.connecting(Endpoint.parse(text)).address();
        assertEquals(new TcpAddress(host, port), address);
        assertEquals(
                new TcpAddress(host, port),
                TcpEndpoint.listening(Endpoint.parse(text)).address());
    }

    @Test
    void whoConnectsMaySayAsWhomAndHow() throws Exception {
        var to = TcpEndpoint.connecting(Endpoint.parse("tcp://s1@db1:5440?sslmode=verify-ca&sslrootcert=/etc/ca.crt"));
        assertEquals("s1", to.user());
        assertEquals(Map.of("sslmode", "verify-ca", "sslrootcert", "/etc/ca.crt"), to.parameters());
    }

    @Test
    void whoListensMaySayWhetherWithTls() throws Exception {
        var plain = TcpEndpoint.listening(Endpoint.parse("tcp://0.0.0.0:5440?ssl=off&insecure=true"));
        assertFalse(plain.ssl(true));
        assertTrue(plain.insecure());
        var asConfigured = TcpEndpoint.listening(Endpoint.parse("tcp://0.0.0.0:5440"));
        assertTrue(asConfigured.ssl(true));
        assertFalse(asConfigured.ssl(false));
        assertFalse(asConfigured.insecure());
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
        "'tcp://h:5440?tls=on', 'the parameter tls, which is none of ssl=, insecure=, compression='",
        "'tcp://h:5440?ssl', 'the parameter ssl, which is none of ssl=, insecure=, compression='",
        "'tcp://h:5440?ssl=maybe', 'the parameter ssl=maybe, which is neither on nor off'",
        "tcp://h:5440#x, a fragment",
        "ssh://h:5440, the scheme ssh"
    })
    void anythingElseIsRefusedWithAnExample(String text, String found) {
        var e = assertThrows(TransportException.class, () -> TcpEndpoint.listening(Endpoint.parse(text)));
        assertEquals(
                "endpoint \"" + text + "\" has " + found
                        + ": expected tcp://HOST:PORT, such as tcp://127.0.0.1:5440 or tcp://[::1]:5440",
                e.getMessage());
    }

    @Test
    void aPasswordInAnEndpointIsRefusedAndNotShown() {
        var endpoint = Endpoint.parse("tcp://s1:sesame@db1:5440");
        var e = assertThrows(TransportException.class, () -> TcpEndpoint.connecting(endpoint));
        assertEquals(
                "endpoint \"tcp://s1:********@db1:5440\" has a password, which would be seen: set passfile, or the environment"
                        + " variable PGPASSWORD",
                e.getMessage());
    }
}
