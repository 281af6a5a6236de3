package lockstep.transport.tcp;

import io.netty.handler.codec.DecoderException;
import java.nio.channels.ClosedChannelException;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertificateException;
import javax.net.ssl.SSLException;

/** Says what is wrong with TLS, and what to do, where the libraries speak of paths and alerts. */
final class TlsTrouble {
    private static final String ALERT = "Received fatal alert: ";

    private TlsTrouble() {}

    static boolean is(Throwable e) {
        return e instanceof SSLException || (e instanceof DecoderException && e.getCause() instanceof SSLException);
    }

    /** @param connecting whether this side is the client */
    static String of(Throwable e, boolean connecting) {
        boolean distrust = false;
        Throwable root = e;
        while (root.getCause() != null && root.getCause() != root) {
            root = root.getCause();
            distrust |= root instanceof CertificateException || root instanceof CertPathBuilderException;
        }
        String text = String.valueOf(root.getMessage());
        if (distrust) {
            return connecting
                    ? "the server's certificate is not trusted (sslmode, sslrootcert): " + text
                    : "the client's certificate is not trusted (ssl_ca_file, ssl_crl_file): " + text;
        } else if (text.contains(ALERT) && text.matches(".*(certificate|unknown_ca).*")) {
            return "the peer does not trust this side's certificate: "
                    + text.substring(text.indexOf(ALERT) + ALERT.length());
        } else if (root instanceof ClosedChannelException) {
            return connecting
                    ? "the server hung up on TLS: does it listen with TLS (ssl = on)? sslmode=disable goes without"
                    : "hung up in the middle of the handshake of TLS";
        }
        return "TLS failed: " + (root.getMessage() == null ? root.getClass().getSimpleName() : text);
    }
}
