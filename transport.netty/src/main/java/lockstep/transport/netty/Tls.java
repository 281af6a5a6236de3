package lockstep.transport.netty;

import io.netty.handler.ssl.SslHandler;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import lockstep.security.AccessException;
import lockstep.security.AccessMethod;
import lockstep.security.AccessRule;
import lockstep.security.TlsMaterial;
import lockstep.transport.api.Peer;

/**
 * What TLS has established on a connection.
 *
 * @param own the certificate that this side has shown; null if it has shown none
 * @param peers the one that the other side has shown; null if it has shown none
 */
public record Tls(String protocol, String cipher, X509Certificate own, X509Certificate peers) {
    /** Returns null for a connection without TLS. */
    public static Tls of(SslHandler handler) {
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
    public String peersName() {
        return peers == null ? "" : TlsMaterial.commonName(peers);
    }

    /**
     * Returns for whom the peer's certificate is, if that may be a standby by the rule.
     *
     * @param tls null without TLS
     */
    public static String certified(Tls tls, AccessRule rule, String standby) throws AccessException {
        String wanted = rule.method() == AccessMethod.CERT ? rule.identityOf(standby) : rule.identity();
        String found = tls == null ? "" : tls.peersName();
        if (found.isEmpty()) {
            throw new AccessException(
                    "standby \"" + standby + "\" shows no certificate, and the rule for it wants one: set"
                            + " sslcert and sslkey there, and here ssl_ca_file");
        } else if (!wanted.isEmpty() && !wanted.equals(found)) {
            throw new AccessException("standby \"" + standby + "\" shows the certificate of \"" + found
                    + "\", which may not be that standby");
        }
        return found;
    }

    /** Returns what operators may want to know; nothing without TLS. */
    public static Map<String, String> facts(Tls tls) {
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
