package lockstep.transport.tcp;

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
 * @param own the certificate that this side has shown; null if it has shown none
 * @param peers the one that the other side has shown; null if it has shown none
 */
record Tls(String protocol, String cipher, X509Certificate own, X509Certificate peers) {
    /** Returns null for a connection without TLS. */
    static Tls of(SslHandler handler) {
        if (handler == null) {
            return null;
        }
        SSLSession session = handler.engine().getSession();
        return new Tls(
                session.getProtocol(), session.getCipherSuite(), first(session.getLocalCertificates()), peers(session));
    }

    private static X509Certificate peers(SSLSession session) {
        try {
            return first(session.getPeerCertificates());
        } catch (SSLPeerUnverifiedException e) {
            return null;
        }
    }

    private static X509Certificate first(Certificate[] chain) {
        return chain == null || chain.length == 0 ? null : (X509Certificate) chain[0];
    }

    /** Returns for whom the peer's certificate is; empty if it has shown none. */
    String peersName() {
        return peers == null ? "" : TlsMaterial.commonName(peers);
    }

    /** Returns what operators may want to know. */
    static Map<String, String> facts(Tls tls) {
        Map<String, String> facts = new LinkedHashMap<>();
        if (tls != null) {
            facts.put(Peer.ENCRYPTION, tls.protocol);
            facts.put(Peer.CIPHER, tls.cipher);
            if (tls.peers != null) {
                facts.put(Peer.CERTIFICATE_SERIAL, tls.peers.getSerialNumber().toString(16));
                facts.put(
                        Peer.CERTIFICATE_EXPIRES,
                        tls.peers.getNotAfter().toInstant().toString());
            }
        }
        return facts;
    }
}
