package lockstep.transport.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EndpointTest {
    @ParameterizedTest
    @CsvSource({
        "tcp://127.0.0.1:5440, tcp",
        "tcp://[::1]:5440, tcp",
        "ssh://wal@db.example:22/5440?key=id, ssh",
        "postgresql:service, postgresql"
    })
    void theSchemeNamesTheTransport(String text, String scheme) {
        var endpoint = Endpoint.parse("  " + text + "\n");
        assertEquals(scheme, endpoint.scheme());
        assertEquals(text, endpoint.toString());
        assertEquals(Endpoint.parse(text), endpoint);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "127.0.0.1:5440", "//127.0.0.1:5440", "db1", "tcp://a b:1", "tcp:", "://x:1"})
    void whatIsNoEndpointIsRefusedWithAnExample(String text) {
        var e = assertThrows(IllegalArgumentException.class, () -> Endpoint.parse(text));
        assertTrue(e.getMessage().contains("\"" + text + "\""), e.getMessage());
        assertTrue(e.getMessage().contains("tcp://127.0.0.1:5440"), e.getMessage());
    }

    @Test
    void aTextForPeopleShowsNoPassword() {
        assertEquals(
                "postgresql://u:********@a:1,b:2/?sslpassword=********&x=y",
                Endpoint.parse("postgresql://u:p%40$1@a:1,b:2/?sslpassword=q&x=y")
                        .toString());
        assertEquals("tcp://[::1]:5440", Endpoint.parse("tcp://[::1]:5440").toString());
        assertEquals("host=a password = ******** user=b", Endpoint.withoutSecrets("host=a password = 'x \\'y' user=b"));
    }
}
