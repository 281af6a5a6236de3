package lockstep.security;

import com.ongres.scram.common.ScramFunctions;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The side of SCRAM (RFC 5802, RFC 7677) that has a verifier. One exchange; not thread-safe.
 *
 * <pre>
 *   client                              server
 *   n,,n=USER,r=NONCE              →
 *                                  ←    r=NONCE+MORE,s=SALT,i=ITERATIONS      first()
 *   c=BINDING,r=NONCE+MORE,p=PROOF →
 *                                  ←    v=SIGNATURE                           last()
 * </pre>
 *
 * <p>With TLS, {@code SCRAM-SHA-256-PLUS} binds the exchange to the server's certificate: somebody in between, who has a
 * certificate of its own, cannot pass it on. A client that could bind and believes that this server cannot is refused: the
 * offer was tampered with.
 */
public final class ScramServer {
    /** Without channel binding. */
    public static final String PLAIN = "SCRAM-SHA-256";

    /** With channel binding. */
    public static final String PLUS = "SCRAM-SHA-256-PLUS";

    private static final String BINDING = "tls-server-end-point";
    private static final int NONCE_CHARS = 24;
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final Pattern CLIENT_FIRST =
            Pattern.compile("((?:n|y|p=([A-Za-z0-9.-]+)),(?:a=[^,]*)?,)(n=([^,]*),r=([!-+\\--~]{1,256}))");
    private static final Pattern CLIENT_FINAL =
            Pattern.compile("(c=([A-Za-z0-9+/=]+),r=([!-+\\--~]+)),p=([A-Za-z0-9+/=]+)");

    private final ScramVerifier verifier;
    private final X509Certificate certificate;
    private final boolean plus;
    private String gs2Header;
    private String user;
    private String nonce;
    private String authMessage;

    /**
     * Begins an exchange.
     *
     * @param certificate this server's, as it showed it to the client; null without TLS
     * @param mechanism which of {@link #mechanisms} the client chose
     * @throws AccessException if it is none of them
     */
    public ScramServer(ScramVerifier verifier, X509Certificate certificate, String mechanism) throws AccessException {
        this.verifier = verifier;
        this.certificate = certificate;
        plus = mechanism.equals(PLUS);
        if (!mechanisms(certificate).contains(mechanism)) {
            throw new AccessException(
                    "the client chose another mechanism than " + String.join(" or ", mechanisms(certificate)));
        }
    }

    /** Returns what a server offers, the better one first. */
    public static List<String> mechanisms(X509Certificate certificate) {
        return certificate == null ? List.of(PLAIN) : List.of(PLUS, PLAIN);
    }

    /** Takes the client's first message, and returns what to answer. */
    public String first(String clientFirst) throws AccessException {
        Matcher matcher = CLIENT_FIRST.matcher(clientFirst);
        if (!matcher.matches()) {
            throw new AccessException("the client's first message of SCRAM makes no sense");
        }
        gs2Header = matcher.group(1);
        user = matcher.group(4).replace("=2C", ",").replace("=3D", "=");
        String bound = matcher.group(2);
        if (plus != (bound != null) || (plus && !bound.equals(BINDING))) {
            throw new AccessException(
                    plus
                            ? "the client binds to no channel of type " + BINDING
                            : "the client binds to a channel, unasked");
        }
        if (gs2Header.startsWith("y") && certificate != null) {
            throw new AccessException(
                    "the client believes that this server cannot bind to the channel: somebody changed what it was offered");
        }
        nonce = matcher.group(5) + ScramFunctions.nonce(NONCE_CHARS, RANDOM);
        String answer =
                "r=" + nonce + ",s=" + Base64.getEncoder().encodeToString(verifier.salt) + ",i=" + verifier.iterations;
        authMessage = matcher.group(3) + "," + answer + ",";
        return answer;
    }

    /** Returns whom the client says it is; not yet proved. After {@link #first}. */
    public String user() {
        return user;
    }

    /**
     * Takes the client's proof, and returns this server's.
     *
     * @throws AccessException if the proof is wrong
     */
    public String last(String clientFinal) throws AccessException {
        Matcher matcher = CLIENT_FINAL.matcher(clientFinal);
        if (!matcher.matches()) {
            throw new AccessException("the client's last message of SCRAM makes no sense");
        } else if (!matcher.group(3).equals(nonce)) {
            throw new AccessException("the client's last message of SCRAM belongs to another exchange");
        }
        try {
            if (!Arrays.equals(Base64.getDecoder().decode(matcher.group(2)), binding())) {
                throw new AccessException("the client is bound to another channel than this: somebody is in between");
            }
            String whole = authMessage + matcher.group(1);
            byte[] proof = Base64.getDecoder().decode(matcher.group(4));
            if (proof.length != verifier.storedKey.length
                    || !ScramFunctions.verifyClientProof(ScramVerifier.MECHANISM, proof, verifier.storedKey, whole)) {
                throw new AccessException("the password is wrong");
            }
            return "v="
                    + Base64.getEncoder()
                            .encodeToString(
                                    ScramFunctions.serverSignature(ScramVerifier.MECHANISM, verifier.serverKey, whole));
        } catch (IllegalArgumentException | CertificateEncodingException e) {
            throw new AccessException("the client's last message of SCRAM makes no sense", e);
        }
    }

    private byte[] binding() throws CertificateEncodingException {
        byte[] header = gs2Header.getBytes(StandardCharsets.UTF_8);
        if (!plus) {
            return header;
        }
        byte[] data = ScramClient.bindingTo(certificate);
        byte[] all = Arrays.copyOf(header, header.length + data.length);
        System.arraycopy(data, 0, all, header.length, data.length);
        return all;
    }
}
