package lockstep.transport.ssh;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import lockstep.transport.api.Endpoint;
import lockstep.transport.api.TransportException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SshEndpointTest {
    @ParameterizedTest
    @CsvSource({
        "ssh://wal@db1/srv/a/wal.sock, wal, db1, 22, UnixSocket[path=/srv/a/wal.sock]",
        "ssh://db_1:2022/w, '', db_1, 2022, UnixSocket[path=/w]",
        "ssh://wal@[::1]:22/?forward=127.0.0.1:5440, wal, [::1], 22, 'Port[host=127.0.0.1, port=5440]'",
        "ssh://wal@db1?forward=[::1]:5440, wal, db1, 22, 'Port[host=[::1], port=5440]'",
        "ssh://wal@db1:2222, wal, db1, 2222, Subsystem[]",
        "ssh://wal@db1/, wal, db1, 22, Subsystem[]"
    })
    void aStandbyNamesTheSshServerAndTheDoorBehindIt(String text, String user, String host, int port, String door)
            throws Exception {
        var endpoint = SshEndpoint.connecting(Endpoint.parse(text));
        assertEquals(user, endpoint.user());
        assertEquals(host, endpoint.host());
        assertEquals(port, endpoint.port());
        assertEquals(door, endpoint.door().toString());
    }

    @ParameterizedTest
    @CsvSource({
        "ssh:///srv/a/wal.sock, UnixSocket[path=/srv/a/wal.sock]",
        "ssh:///?forward=127.0.0.1:0, 'Port[host=127.0.0.1, port=0]'",
        "ssh:///?forward=[::1]:5440, 'Port[host=[::1], port=5440]'",
        "ssh://0.0.0.0:2222, Subsystem[]"
    })
    void aPrimaryNamesTheDoorOnly(String text, String door) throws Exception {
        assertEquals(door, SshEndpoint.listening(Endpoint.parse(text)).door().toString());
    }

    @ParameterizedTest
    @CsvSource({
        "tcp://db1/x, the scheme tcp",
        "ssh:db1, no slashes",
        "ssh:///srv/a/wal.sock, no host",
        "ssh://@db1/x, an empty user",
        "ssh://db1:0/x, the port 0",
        "ssh://db1:65536/x, the port 65536",
        "ssh://db1/x#y, a fragment",
        "ssh://db1/x?forward=127.0.0.1:1, both a path and a query",
        "ssh://db1/?to=127.0.0.1:1, the query to=127.0.0.1:1",
        "ssh://db1/?forward=127.0.0.1, no port",
        "ssh://db1/?forward=::1:5440, no host",
        "ssh://::1:22/x, no host"
    })
    void whatAStandbyCannotConnectToIsRefusedWithExamples(String text, String found) {
        assertRefused(found, () -> SshEndpoint.connecting(Endpoint.parse(text)));
    }

    @ParameterizedTest
    @CsvSource({
        "ssh://wal@db1:22, a user",
        "ssh:///, neither a host nor a path",
        "ssh://db1:22/x, both a host and what is forwarded to",
        "ssh://0.0.0.0, no port",
        "ssh:///?forward=0.0.0.0:5440, 'the host 0.0.0.0, which is not this machine''s own'"
    })
    void whatAPrimaryCannotListenOnIsRefusedWithExamples(String text, String found) {
        assertRefused(found, () -> SshEndpoint.listening(Endpoint.parse(text)));
    }

    private static void assertRefused(String found, org.junit.jupiter.api.function.Executable reading) {
        String message = assertThrows(TransportException.class, reading).getMessage();
        assertTrue(message.contains("\" has " + found), message);
        assertTrue(message.contains("expected ssh://"), message);
    }
}
