package lockstep.security;

import com.ongres.scram.common.StringPreparation;
import com.ongres.scram.common.exception.ScramException;
import com.ongres.scram.common.exception.ScramRuntimeException;
import com.ongres.scram.common.util.TlsServerEndpoint;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.util.List;

/** The side of SCRAM that has the password. One exchange; not thread-safe. See {@link ScramServer} for what is said. */
public final class ScramClient {
    private static final int MAX_ITERATIONS = 1_000_000;

    private final com.ongres.scram.client.ScramClient client;

    /**
     * Begins an exchange, and chooses the best of the mechanisms.
     *
     * @param offered what the server offers
     * @param user who has the password; PostgreSQL's servers know that already and look at no name here
     * @param password is not kept
     * @param certificate the server's, as it showed it on this connection; null without TLS
     * @throws AccessException if the server offers no mechanism that is known here
     */
    public ScramClient(List<String> offered, String user, char[] password, X509Certificate certificate)
            throws AccessException {
        try {
            var builder = com.ongres.scram.client.ScramClient.builder()
                    .advertisedMechanisms(offered)
                    .username(user.isEmpty() ? "*" : user)
                    .password(password)
                    .stringPreparation(StringPreparation.POSTGRESQL_PREPARATION);
            client = certificate == null
                    ? builder.build()
                    : builder.channelBinding(TlsServerEndpoint.TLS_SERVER_END_POINT, bindingTo(certificate))
                            .build();
        } catch (IllegalArgumentException | ScramRuntimeException | CertificateEncodingException e) {
            throw new AccessException(
                    "the server offers " + offered + " to check a password by: expected SCRAM-SHA-256", e);
        }
    }

    /** What {@code tls-server-end-point} binds to: a hash of the server's certificate. */
    static byte[] bindingTo(X509Certificate certificate) throws CertificateEncodingException {
        return TlsServerEndpoint.getChannelBindingData(certificate);
    }

    /** Returns the mechanism that was chosen. */
    public String mechanism() {
        return client.getScramMechanism().getName();
    }

    /** Returns what to say first. */
    public String first() {
        return client.clientFirstMessage().toString();
    }

    /** Takes the server's challenge, and returns the proof. */
    public String last(String serverFirst) throws AccessException {
        try {
            if (client.serverFirstMessage(serverFirst).getIterationCount() > MAX_ITERATIONS) {
                throw new AccessException("the server asks for more than " + MAX_ITERATIONS + " rounds of work");
            }
            return client.clientFinalMessage().toString();
        } catch (ScramException | IllegalArgumentException | IllegalStateException e) {
            throw new AccessException("the server's challenge makes no sense", e);
        }
    }

    /**
     * Checks that the server knows the password too.
     *
     * @throws AccessException if it does not: it is another server than it says
     */
    public void check(String serverFinal) throws AccessException {
        try {
            client.serverFinalMessage(serverFinal);
        } catch (ScramException | IllegalArgumentException | IllegalStateException e) {
            throw new AccessException("the server cannot prove that it knows the password: it may be another", e);
        }
    }
}
