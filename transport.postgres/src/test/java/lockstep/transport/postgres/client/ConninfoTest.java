package lockstep.transport.postgres.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import lockstep.transport.api.Endpoint;
import lockstep.transport.postgres.client.Conninfo.Host;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConninfoTest {
    private static Conninfo of(String uri) {
        return Conninfo.of(Endpoint.parse(uri), Map.of());
    }

    @Test
    void aUriSaysAllThatLibpqReadsFromOne() {
        Conninfo conninfo = of("postgresql://r%40p:p%2Fw+d@db1:6001,db2,db3:6003/log?application_name=s%201"
                + "&sslmode=verify-full&sslrootcert=/ca.crt&channel_binding=require&connect_timeout=3"
                + "&target_session_attrs=read-write&keepalives=1&gssencmode=prefer");
        assertEquals(List.of(new Host("db1", 6001), new Host("db2", 5432), new Host("db3", 6003)), conninfo.hosts());
        assertEquals("r@p", conninfo.user());
        assertEquals(Optional.of("p/w+d"), conninfo.password());
        assertEquals("log", conninfo.database());
        assertEquals("s 1", conninfo.applicationName("other"));
        assertEquals(Map.of("sslmode", "verify-full", "sslrootcert", "/ca.crt"), conninfo.tls());
        assertEquals(Conninfo.ChannelBinding.REQUIRE, conninfo.channelBinding());
        assertEquals(Conninfo.Target.PRIMARY, conninfo.target());
        assertEquals(3000, conninfo.timeoutMs(10_000));
        assertFalse(conninfo.toString().contains("p/w"));
    }

    @Test
    void hostsMayStandAmongTheOptionsWithOnePortForAll() {
        assertEquals(
                List.of(new Host("::1", 6000)), of("postgresql://[::1]:6000/").hosts());
        assertEquals(
                List.of(new Host("a", 7), new Host("b", 7)),
                of("postgresql:///?host=a,b&port=7").hosts());
    }

    @Test
    void whatIsNotSaidIsInTheEnvironmentOrHasLibpqsDefault() {
        Conninfo said = Conninfo.of(
                Endpoint.parse("postgresql://db1/"),
                Map.of("PGHOST", "db2", "PGPORT", "6000", "PGUSER", "rep", "PGSSLMODE", "require"));
        assertEquals(List.of(new Host("db1", 6000)), said.hosts());
        assertEquals("rep", said.user());
        assertEquals(Map.of("sslmode", "require"), said.tls());
        Conninfo plain = of("postgresql:///");
        assertEquals(List.of(new Host("localhost", 5432)), plain.hosts());
        assertEquals("replication", plain.database());
        assertEquals("s1", plain.applicationName("s1"));
        assertEquals(10_000, plain.timeoutMs(10_000));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ' ',
            value = {
                "postgresql://db1:port/ port",
                "postgresql://db1:70000/ 65535",
                "postgresql://a,b/?port=1,2,3 ports",
                "postgresql:///?host=/run/postgresql Unix-domain",
                "postgresql://db1/?sslmod=require sslmod",
                "postgresql://db1/?requirepeer=postgres requirepeer",
                "postgresql://db1/?channel_binding=maybe channel_binding",
                "postgresql://db1/?gssencmode=require gssencmode",
                "postgresql://db1/?target_session_attrs=best target_session_attrs",
                "postgresql://db1/?sslmode NAME=VALUE",
                "postgresql://db1/?user=a%00b zero",
                "postgresql:db1 HOST"
            })
    void whatMakesNoSenseIsRefusedByName(String uri, String named) {
        String message =
                assertThrows(IllegalArgumentException.class, () -> of(uri)).getMessage();
        assertTrue(message.contains(named), message);
    }
}
