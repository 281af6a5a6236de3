package lockstep.security;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ScramTest {
    private static final char[] PASSWORD = "pencil".toCharArray();

    /** Of PostgreSQL 15: CREATE ROLE s1 PASSWORD 'pencil', as it stands in pg_authid. */
    private static final String OF_POSTGRES = "SCRAM-SHA-256$4096:jSsP8EL23o7eLUD+GNWNZA==$"
            + "HqutEQZC+6fr0gW+rqx3vDgVTX+BnGSh3nInVAQbDd0=:T/cBzGzJUI0VNDSQSNtpbyqBwc4uQ2Bq9TeRkLHhX9c=";

    @TempDir
    private Path folder;

    private static String exchange(
            ScramVerifier verifier, char[] password, X509Certificate servers, X509Certificate seen) throws Exception {
        ScramClient client = new ScramClient(ScramServer.mechanisms(servers), "s1", password, seen);
        ScramServer server = new ScramServer(verifier, servers, client.mechanism());
        String challenge = server.first(client.first());
        assertEquals("s1", server.user());
        client.check(server.last(client.last(challenge)));
        return client.mechanism();
    }

    private X509Certificate certificate(String name) throws Exception {
        new Certificates(folder.resolve(name)).sign(name);
        return Pem.certificates(folder.resolve(name).resolve(name + ".crt")).get(0);
    }

    @Test
    void whoHasThePasswordIsLetInAndKnowsTheServer() throws Exception {
        assertEquals("SCRAM-SHA-256", exchange(ScramVerifier.of(PASSWORD), PASSWORD, null, null));
        assertEquals("SCRAM-SHA-256", exchange(ScramVerifier.parse(OF_POSTGRES), PASSWORD, null, null));
    }

    @Test
    void withTlsTheExchangeIsBoundToTheServersCertificate() throws Exception {
        X509Certificate own = certificate("own");
        assertEquals("SCRAM-SHA-256-PLUS", exchange(ScramVerifier.of(PASSWORD), PASSWORD, own, own));
        X509Certificate ofSomebodyInBetween = certificate("other");
        AccessException e = assertThrows(
                AccessException.class, () -> exchange(ScramVerifier.of(PASSWORD), PASSWORD, own, ofSomebodyInBetween));
        assertEquals("the client is bound to another channel than this: somebody is in between", e.getMessage());
    }

    @Test
    void aClientThatWasToldTheServerCannotBindIsRefused() throws Exception {
        X509Certificate own = certificate("own");
        ScramClient misled = new ScramClient(List.of(ScramServer.PLAIN), "s1", PASSWORD, own);
        ScramServer server = new ScramServer(ScramVerifier.of(PASSWORD), own, misled.mechanism());
        AccessException e = assertThrows(AccessException.class, () -> server.first(misled.first()));
        assertTrue(e.getMessage().contains("somebody changed what it was offered"), e.getMessage());
    }

    @Test
    void anotherPasswordIsWrong() {
        AccessException e = assertThrows(
                AccessException.class, () -> exchange(ScramVerifier.of(PASSWORD), "pencils".toCharArray(), null, null));
        assertEquals("the password is wrong", e.getMessage());
    }

    @Test
    void aServerThatDoesNotKnowThePasswordIsFoundOut() throws Exception {
        ScramVerifier real = ScramVerifier.of(PASSWORD);
        ScramVerifier forged =
                new ScramVerifier(real.iterations, real.salt, real.storedKey, new byte[real.serverKey.length]);
        AccessException e = assertThrows(AccessException.class, () -> exchange(forged, PASSWORD, null, null));
        assertEquals("the server cannot prove that it knows the password: it may be another", e.getMessage());
    }

    @Test
    void aServerThatAsksForTooMuchWorkIsRefused() throws Exception {
        ScramClient client = new ScramClient(List.of(ScramServer.PLAIN), "s1", PASSWORD, null);
        String first = client.first();
        String nonce = first.substring(first.indexOf("r=") + 2);
        AccessException e = assertThrows(
                AccessException.class, () -> client.last("r=" + nonce + "x,s=AAAAAAAAAAAAAAAAAAAAAA==,i=2000000000"));
        assertTrue(e.getMessage().contains("rounds of work"), e.getMessage());
    }

    @Test
    void anUnknownUserLooksLikeOneWithAPassword() throws Exception {
        byte[] secret = {1, 2, 3};
        ScramVerifier nobody = ScramVerifier.ofNobody("s9", secret);
        assertThrows(AccessException.class, () -> exchange(nobody, PASSWORD, null, null));
        String again = ScramVerifier.ofNobody("s9", secret).text();
        assertEquals(nobody.text().split("\\$", 3)[1], again.split("\\$", 3)[1]);
        assertFalse(ScramVerifier.ofNobody("s8", secret).text().contains(again.split("\\$", 3)[1]));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "n,,n=s1",
                "n,,n=s1,r=",
                "p=tls-unique,,n=s1,r=abc",
                "n,,m=ext,n=s1,r=abc",
                "n,,n=s1,r=a\u0000c",
                "n,,n=s1,r=abc,x=y"
            })
    void aFirstMessageThatMakesNoSenseIsRefused(String message) throws Exception {
        ScramServer server = new ScramServer(ScramVerifier.of(PASSWORD), null, ScramServer.PLAIN);
        assertThrows(AccessException.class, () -> server.first(message));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "c=biws,r=abc", "c=biws,r=abc,p=AAAA", "c=!,r=%s,p=AAAA", "c=biws,r=%s,p=AAAA"})
    void aLastMessageThatMakesNoSenseIsRefused(String message) throws Exception {
        ScramServer server = new ScramServer(ScramVerifier.of(PASSWORD), null, ScramServer.PLAIN);
        String nonce = server.first("n,,n=s1,r=abc").split("[=,]", 3)[1];
        assertThrows(AccessException.class, () -> server.last(String.format(message, nonce)));
    }
}
