package lockstep.config;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SecretsTest {
    @ParameterizedTest
    @CsvSource({
        "password, sesame, ********",
        "acme.password, sesame, ********",
        "password, '', ''",
        "passfile, ~/.pgpass, ~/.pgpass",
        "primary_conninfo, 'tcp://a:1,postgresql://me:sesame@h:1/x', 'tcp://a:1,postgresql://me:********@h:1/x'",
        "primary_conninfo, postgresql://me@h:1/x?password=sesame&sslmode=require, "
                + "postgresql://me@h:1/x?password=********&sslmode=require",
        "primary_conninfo, host=h password = 'open sesame' user=me, host=h password = ******** user=me",
        "primary_conninfo, tcp://s1@127.0.0.1:5440, tcp://s1@127.0.0.1:5440"
    })
    void aPasswordIsNotShown(String name, String value, String shown) {
        assertEquals(shown, Secrets.hide(name, value));
    }
}
