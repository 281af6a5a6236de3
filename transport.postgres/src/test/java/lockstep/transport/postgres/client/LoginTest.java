package lockstep.transport.postgres.client;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.List;
import lockstep.security.AccessException;
import lockstep.transport.postgres.client.Conninfo.ChannelBinding;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationSasl;
import org.junit.jupiter.api.Test;

class LoginTest {
    private static final AuthenticationSasl BOTH =
            new AuthenticationSasl(List.of("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"));

    /** Its signature names no hash. */
    private static final String ED25519 = """
            -----BEGIN CERTIFICATE-----
            MIIBMDCB46ADAgECAhQML2yykKwya/xDnD1DjAID4Q/PMjAFBgMrZXAwDjEMMAoG
            A1UEAwwDZGIxMB4XDTI2MTEyNTA3MzUzMFoXDTM2MTEyMjA3MzUzMFowDjEMMAoG
            A1UEAwwDZGIxMCowBQYDK2VwAyEAgQYp7P/RXcwedLTEJm+s67XId2lgNoY0LGPA
            zWnFZc6jUzBRMB0GA1UdDgQWBBSHt0voI0Zu5eR871+RL43LcASn/TAfBgNVHSME
            GDAWgBSHt0voI0Zu5eR871+RL43LcASn/TAPBgNVHRMBAf8EBTADAQH/MAUGAytl
            cANBAERwFUxO9cKPi8yYcJi3hmnwilMg+aoZl+m5B2Dix/KYf0LammtzPyvYv19s
            8SgHc+ve7eLivIqWdiRNAVOCpgA=
            -----END CERTIFICATE-----
            """;

    private static final String ECDSA = """
            -----BEGIN CERTIFICATE-----
            MIIBcjCCARegAwIBAgIUUOsVFZjz2J7cFO2iiqNPVV64P4QwCgYIKoZIzj0EAwIw
            DjEMMAoGA1UEAwwDZGIxMB4XDTI2MTEyNTA3MzUzMFoXDTM2MTEyMjA3MzUzMFow
            DjEMMAoGA1UEAwwDZGIxMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEbkc2A7v4
            caLD+PfQCtDWBE+GqCKdCFec2ofbHqwSyE3/ePGZDA6qGm0leeeqmzvk7VnrICLa
            LUdw60ONuiaUYaNTMFEwHQYDVR0OBBYEFBdpwJomqz2Y5cHWyKkvM9uXTP5uMB8G
            A1UdIwQYMBaAFBdpwJomqz2Y5cHWyKkvM9uXTP5uMA8GA1UdEwEB/wQFMAMBAf8w
            CgYIKoZIzj0EAwIDSQAwRgIhAJWV15WiES6Lox63bM/vj6rDVZSPMrI79lTgn5GA
            JoCvAiEAwxQL2WbXWJKh+wG6GdkHwyv9sapjYudxwaKo74P7gC0=
            -----END CERTIFICATE-----
            """;

    private static X509Certificate certificate(String pem) throws CertificateException {
        return (X509Certificate) CertificateFactory.getInstance("X.509")
                .generateCertificate(new ByteArrayInputStream(pem.getBytes(US_ASCII)));
    }

    /** Returns the name of the mechanism that a client begins with. */
    private static String begun(ChannelBinding binding, String pem) throws IOException, CertificateException {
        Login login = new Login("u", () -> "secret".toCharArray(), binding, certificate(pem));
        ByteBuf bytes = Unpooled.buffer();
        login.answer(BOTH).orElseThrow().encode(bytes);
        bytes.skipBytes(Byte.BYTES + Integer.BYTES);
        return bytes.readCharSequence(bytes.bytesBefore((byte) 0), US_ASCII).toString();
    }

    @Test
    void aLoginIsBoundToTheCertificate() throws Exception {
        assertEquals("SCRAM-SHA-256-PLUS", begun(ChannelBinding.REQUIRE, ECDSA));
        assertEquals("SCRAM-SHA-256-PLUS", begun(ChannelBinding.PREFER, ECDSA));
        assertEquals("SCRAM-SHA-256", begun(ChannelBinding.PREFER, ED25519));
    }

    @Test
    void aLoginThatMustBeBoundIsNotBegunWhereTheCertificateHasNoHash() {
        AccessException refused = assertThrows(AccessException.class, () -> begun(ChannelBinding.REQUIRE, ED25519));
        assertTrue(refused.getMessage().contains("Ed"), refused.getMessage());
    }
}
