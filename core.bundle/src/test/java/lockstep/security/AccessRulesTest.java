package lockstep.security;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AccessRulesTest {
    private static final String FILE = """
            # who may come

            tcp      s1,s2       10.1.0.0/16      scram-sha-256
            tcp      "s 3"       fd00::/8         cert      identity="db3 #1"   # a remark
            tcp,ssh  all         10.0.0.0/8       reject
            ssh      all         all              peer
            all      "*"         192.168.1.7      trust
            acme     all         local            trust
            """;

    private final AccessRules rules = AccessRules.parse("access.conf", FILE);

    private static InetAddress address(String text) {
        return text == null ? null : Network.literal(text);
    }

    @ParameterizedTest
    @CsvSource({
        "tcp, s1, 10.1.255.255, 3",
        "tcp, s2, ::ffff:10.1.0.1, 3",
        "tcp, s 3, fd12::1, 4",
        "ssh, s1, 10.2.0.0, refused by access.conf:5",
        "tcp, s3, 10.1.0.1, refused by access.conf:5",
        "tcp, s1, 11.0.0.0, no line of access.conf",
        "tcp, S1, 192.168.1.7, no line of access.conf",
        "ssh, any, ::1, 6",
        "ssh, any, , 6",
        "tcp, *, 192.168.1.7, 7",
        "acme, x, , 8",
        "acme, x, 127.0.0.1, no line of access.conf"
    })
    void theFirstLineThatMatchesDecides(String transport, String standby, String from, String expected) {
        String found;
        try {
            found = rules.find(transport, standby, address(from)).place();
        } catch (AccessException e) {
            found = e.getMessage();
        }
        assertTrue(found.equals("access.conf:" + expected) || found.contains(expected), found);
    }

    @Test
    void aRuleBindsANameToTheIdentityOfTheSameNameOrOfTheOneItNames() throws Exception {
        assertEquals("s1", rules.find("tcp", "s1", address("10.1.0.1")).identityOf("s1"));
        assertEquals("db3 #1", rules.find("tcp", "s 3", address("fd00::1")).identityOf("s 3"));
    }

    @Test
    void aRefusalSaysWhoWasRefusedAndWhatLineWouldLetThemIn() {
        AccessException e = assertThrows(
                AccessException.class,
                () -> AccessRules.standard().find("tcp", "s1", InetAddress.getByName("10.0.0.9")));
        assertEquals(
                "no line of the standard rules lets standby \"s1\" from 10.0.0.9 over tcp in; on the primary, add one"
                        + " such as:  tcp  s1  10.0.0.9  scram-sha-256",
                e.getMessage());
    }

    @ParameterizedTest
    @CsvSource({
        "tcp, 127.0.0.1, trust",
        "tcp, 127.255.0.9, trust",
        "tcp, ::1, trust",
        "acme, , trust",
        "ssh, 10.0.0.1, peer"
    })
    void withoutAFileThisMachineIsTrustedAndKeysOfSshCount(String transport, String from, String method)
            throws Exception {
        assertEquals(
                method,
                AccessRules.standard()
                        .find(transport, "s1", address(from))
                        .method()
                        .toString());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "tcp s1 10.0.0.0/8|expected TRANSPORT STANDBY ADDRESS METHOD, found 3 words",
                "tcp s1 10.0.0.0/8 md5|\"md5\" is no method: expected one of trust, reject, scram-sha-256, cert, peer",
                "tcp s1 10.0.0.1/8 trust|\"10.0.0.1/8\" has bits past its first 8: expected 10.0.0.0/8",
                "tcp s1 10.0.0.0/33 trust|\"10.0.0.0/33\" has no length from 0 to 32 after the slash",
                "tcp s1 db.example.org trust|\"db.example.org\" is no address: expected one such as 10.0.0.0/8",
                "tcp s1 300.0.0.1 trust|\"300.0.0.1\" is no address",
                "tcp s1, all trust|\"s1,\" has an empty name in it",
                "tcp s1 all cert map=x|\"map=x\" is no option: expected identity=NAME",
                "tcp s1 all trust identity=x|method trust establishes no identity",
                "tcp \"s1 all trust|expected words, found \"s1 all trust"
            })
    void aLineThatMakesNoSenseIsNamedWithWhatWasExpected(String line, String expected) {
        IllegalArgumentException e = assertThrows(
                IllegalArgumentException.class, () -> AccessRules.parse("access.conf", "# first\n" + line + "\n"));
        assertTrue(e.getMessage().startsWith("access.conf:2: " + expected), e.getMessage());
    }
}
