package lockstep.transport.netty;

import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import java.io.IOException;
import lockstep.security.ClientTls;
import lockstep.security.Security;
import lockstep.security.SslMode;
import lockstep.security.TlsMaterial;

/**
 * Makes of certificates what Netty's handlers take. That of the listening side is made anew when the files have changed;
 * sessions that are open keep theirs. Thread-safe.
 */
public final class TlsContexts {
    private static final String HOST_NAMES = "HTTPS";

    private final Security security;
    private final String[] versions;
    private TlsMaterial material;
    private SslContext listening;

    /** @param versions which of TLS to listen with */
    public TlsContexts(Security security, String... versions) {
        this.security = security;
        this.versions = versions.clone();
    }

    /** Returns that of a listener, as the files are now. */
    public synchronized SslContext listening() throws IOException {
        TlsMaterial now = security.serverTls();
        if (now != material) {
            SslContextBuilder builder = SslContextBuilder.forServer(now.key(), now.chain())
                    .sslProvider(SslProvider.JDK)
                    .protocols(versions);
            if (now.hasAuthorities()) {
                builder.trustManager(now.trust()).clientAuth(ClientAuth.OPTIONAL);
            }
            listening = builder.build();
            material = now;
        }
        return listening;
    }

    /**
     * Returns that of a connection to be made.
     *
     * @param versions which of TLS to connect with
     */
    public static SslContext connecting(ClientTls tls, String... versions) throws IOException {
        SslContextBuilder builder = SslContextBuilder.forClient()
                .sslProvider(SslProvider.JDK)
                .protocols(versions)
                .endpointIdentificationAlgorithm(tls.mode() == SslMode.VERIFY_FULL ? HOST_NAMES : null)
                .trustManager(tls.mode().verifies() ? tls.material().trust() : InsecureTrustManagerFactory.INSTANCE);
        if (tls.material().key() != null) {
            builder.keyManager(tls.material().key(), tls.material().chain());
        }
        return builder.build();
    }
}
