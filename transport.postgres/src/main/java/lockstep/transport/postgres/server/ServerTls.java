package lockstep.transport.postgres.server;

import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import lockstep.security.Security;
import lockstep.security.TlsMaterial;

/**
 * Makes of this server's certificate what Netty's handlers take, and anew when the files have changed; connections that are open keep
 * theirs. TLS 1.2 is there for PostgreSQL clients of old systems. Thread-safe.
 */
final class ServerTls {
    private static final String[] VERSIONS = {"TLSv1.3", "TLSv1.2"};

    private final Security security;
    private TlsMaterial material;
    private SslContext context;

    ServerTls(Security security) {
        this.security = security;
    }

    /** Returns what is shown and trusted as the files are now. */
    synchronized SslContext context() throws IOException {
        TlsMaterial now = security.serverTls();
        if (now != material) {
            SslContextBuilder builder = SslContextBuilder.forServer(now.key(), now.chain())
                    .sslProvider(SslProvider.JDK)
                    .protocols(VERSIONS);
            if (now.hasAuthorities()) {
                builder.trustManager(now.trust()).clientAuth(ClientAuth.OPTIONAL);
            }
            context = builder.build();
            material = now;
        }
        return context;
    }
}
