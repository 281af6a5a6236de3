package lockstep.transport.tcp;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import lockstep.security.Certificates;
import lockstep.security.Security;
import lockstep.security.SecurityConfiguration;
import lockstep.security.SecuritySettings;
import lockstep.transport.api.Transport;
import lockstep.transport.netty.SocketIo;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

/** The contract, with TLS and a certificate on either side. */
class TlsTransportTest extends TcpContract {
    private static final int RECONNECTS = 200;
    private static final SecurityConfiguration SETTINGS = SecuritySettings.except(Map.of(
            "ssl", true,
            "sslCertFile", "server.crt",
            "sslKeyFile", "server.key",
            "sslCaFile", "ca.crt",
            "sslmode", "verify-full",
            "sslrootcert", "ca.crt",
            "sslcert", "s1.crt",
            "sslkey", "s1.key"));

    @TempDir
    static Path folder;

    @BeforeAll
    static void makeCertificates() throws IOException {
        new Certificates(folder).sign("server").sign("s1");
    }

    @Override
    protected Transport create() {
        return new TcpTransport(SocketIo.best(), OPEN_MS, new Security(folder, Map.of(), SETTINGS));
    }

    @Override
    protected String identity() {
        return "server";
    }

    @Override
    protected String clientIdentity() {
        return "s1";
    }

    @Override
    protected int reconnects() {
        return RECONNECTS;
    }
}
