package lockstep.transport.postgres.server;

import io.netty.handler.ssl.SslHandler;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import lockstep.security.TlsMaterial;
import lockstep.transport.api.Peer;

/**
 * What TLS has established on a connection.
 *
 * @param own the certificate that this server has shown
 * @param clients the one that the client has shown; null if it has shown none
 */
record TlsFacts(String protocol, String cipher, X509Certificate own, X509Certificate clients) {
    static TlsFacts of(SslHandler handler) {
        SSLSession session = handler.engine().getSession();
        return new TlsFacts(
                session.getProtocol(),
                session.getCipherSuite(),
                first(session.getLocalCertificates()),
                clients(session));
    }

    private static X509Certificate clients(SSLSession session) {
        try {
            return first(session.getPeerCertificates());
        } catch (SSLPeerUnverifiedException e) {
            return null;
        }
    }

    private static X509Certificate first(Certificate[] chain) {
        return chain == null || chain.length == 0 ? null : (X509Certificate) chain[0];
    }

    /** Returns for whom the client's certificate is; empty if it has shown none. */
    String clientsName() {
        return clients == null ? "" : TlsMaterial.commonName(clients);
    }

    /** Returns what operators may want to know. */
    Map<String, String> forOperators() {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put(Peer.ENCRYPTION, protocol);
        facts.put(Peer.CIPHER, cipher);
        if (clients != null) {
            facts.put(Peer.CERTIFICATE_SERIAL, clients.getSerialNumber().toString(16));
            facts.put(
                    Peer.CERTIFICATE_EXPIRES, clients.getNotAfter().toInstant().toString());
        }
        return facts;
    }
}
