package lockstep.security;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import lockstep.config.Units;
import lockstep.io.Clock;
import lockstep.io.DataDirectory;
import lockstep.io.ThreadWorkers;
import lockstep.io.Worker;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.component.annotations.Reference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What this server has to keep strangers out, and to be known by others: its rules, verifiers, certificates and passwords.
 *
 * <p>Everything is in files, which may be replaced while the server runs. They are looked at whenever somebody asks, and
 * each second, so that a mistake is in the log when it is made and not when the next standby comes. Sessions that are open
 * stay open. A file that is broken leaves in force what was read before; if that was nothing, nobody is let in.
 * Thread-safe.
 */
@Component(
        service = Security.class,
        immediate = true,
        configurationPid = SecurityConfiguration.PID,
        configurationPolicy = ConfigurationPolicy.REQUIRE)
public final class Security {
    private static final Logger log = LoggerFactory.getLogger(Security.class);
    private static final long LOOK_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final int SECRET_BYTES = 32;
    private static final Duration DAY = Duration.ofDays(1);

    private final Path directory;
    private final Map<String, String> environment;
    private final byte[] secret = new byte[SECRET_BYTES];
    private final WrongPasswords wrongPasswords = new WrongPasswords(Clock.SYSTEM);
    private final Reloaded<AccessRules> rules;
    private final Reloaded<Map<String, ScramVerifier>> verifiers;
    private volatile SecurityConfiguration config;
    private volatile Reloaded<TlsMaterial> serverTls;
    private volatile Worker watch;
    private Instant warned = Instant.MIN;

    /** Begins to watch the files. */
    @Activate
    public Security(@Reference DataDirectory directory, SecurityConfiguration config) {
        this(directory.path(), System.getenv(), config);
        watch = new ThreadWorkers().start("security-files", this::look);
    }

    /**
     * Watches nothing: files are read when they are asked for.
     *
     * @param environment where {@code PGPASSWORD} may be
     */
    public Security(Path directory, Map<String, String> environment, SecurityConfiguration config) {
        this.directory = directory;
        this.environment = Map.copyOf(environment);
        new SecureRandom().nextBytes(secret);
        Path access = directory.resolve(AccessRules.FILE);
        rules = new Reloaded<>(List.of(access), () -> readRules(access));
        Path passwords = directory.resolve(PasswordFile.FILE);
        verifiers = new Reloaded<>(List.of(passwords), () -> PasswordFile.read(passwords));
        configure(config);
    }

    private static AccessRules readRules(Path file) throws IOException {
        return Files.exists(file)
                ? AccessRules.parse(AccessRules.FILE, Files.readString(file))
                : AccessRules.standard();
    }

    /** Takes other parameters, for what is opened from then on. */
    @Modified
    public final void configure(SecurityConfiguration changed) {
        Path certificate = path(changed.sslCertFile());
        Path key = path(changed.sslKeyFile());
        Path authorities = path(changed.sslCaFile());
        Path revocations = path(changed.sslCrlFile());
        List<Path> files = new ArrayList<>(List.of(certificate, key));
        if (authorities != null) {
            files.add(authorities);
        }
        if (revocations != null) {
            files.add(revocations);
        }
        config = changed;
        serverTls = new Reloaded<>(files, () -> TlsMaterial.read(certificate, key, authorities, revocations));
    }

    /** Makes a path whole; null for an empty one. */
    private Path path(String text) {
        String path = text.strip();
        if (path.isEmpty()) {
            return null;
        }
        return path.startsWith("~/")
                ? Path.of(System.getProperty("user.home")).resolve(path.substring(2))
                : directory.resolve(path);
    }

    private long look() {
        rules();
        if (config.ssl()) {
            try {
                warn(serverTls.get());
            } catch (IOException e) {
                // It has been logged.
            }
        }
        return LOOK_NANOS;
    }

    private void warn(TlsMaterial material) {
        Instant now = Instant.now();
        Instant end = material.chain()[0].getNotAfter().toInstant();
        if (now.plusMillis(Units.millis(config.sslExpiryWarning())).isAfter(end) && warned.isBefore(now.minus(DAY))) {
            warned = now;
            log.warn(
                    "the certificate in ssl_cert_file {} {}, on {}: replace it, which needs no restart",
                    config.sslCertFile(),
                    now.isAfter(end)
                            ? "has expired"
                            : "expires in " + Duration.between(now, end).toDays() + " days",
                    end);
        }
    }

    /** Returns the rules that count now. */
    public AccessRules rules() {
        try {
            return rules.get();
        } catch (IOException e) {
            return AccessRules.nobody(AccessRules.FILE + ", which is broken (the log says where),");
        }
    }

    /** Returns the verifier of a user's password; for an unknown user one that no password fits. */
    public ScramVerifier verifier(String user) throws IOException {
        ScramVerifier known = verifiers.get().get(user);
        return known == null ? ScramVerifier.ofNobody(user, secret) : known;
    }

    /** Returns whether to listen with TLS where the endpoint does not say. */
    public boolean listensWithTls() {
        return config.ssl();
    }

    /**
     * Returns what a listener shows and trusts now; the same object until a file changes.
     *
     * @throws IOException if the files are not there or make no sense, and never did since the server started
     */
    public TlsMaterial serverTls() throws IOException {
        return serverTls.get();
    }

    /** Returns how long a connection may take to prove who it is. */
    public int authenticationTimeoutMs() {
        return (int) Units.millis(config.authenticationTimeout());
    }

    /** Returns what bounds the connections of a listener that have not proved who they are. */
    public Startups startups() {
        return new Startups(config.maxUnauthenticatedConnections(), config.maxUnauthenticatedPerAddress());
    }

    /** Returns what slows down those who try passwords, at any listener. */
    public WrongPasswords wrongPasswords() {
        return wrongPasswords;
    }

    /**
     * Tells how to connect to a server, and reads the files for that.
     *
     * @param parameters what the endpoint says: {@code sslmode}, {@code sslrootcert}, {@code sslcert}, {@code sslkey},
     *     {@code sslcrl}; what it does not say is as configured
     * @param standard the mode if neither the endpoint nor the configuration says one
     * @throws IOException if a file is missing or makes no sense
     * @throws IllegalArgumentException if the mode is none
     */
    public ClientTls clientTls(Map<String, String> parameters, SslMode standard) throws IOException {
        SecurityConfiguration values = config;
        String asked = parameters.getOrDefault("sslmode", values.sslmode());
        SslMode mode = asked.equals("default") ? standard : SslMode.parse(asked);
        if (mode == SslMode.DISABLE) {
            return new ClientTls(mode, null);
        }
        Path authorities = path(parameters.getOrDefault("sslrootcert", values.sslrootcert()));
        if (mode.verifies() && authorities == null) {
            throw new IOException(
                    "sslmode " + mode + " needs sslrootcert, the authority to check the server's certificate"
                            + " with; sslmode disable would connect without TLS");
        }
        Path certificate = path(parameters.getOrDefault("sslcert", values.sslcert()));
        TlsMaterial material = TlsMaterial.read(
                certificate,
                certificate == null ? null : key(parameters.getOrDefault("sslkey", values.sslkey())),
                authorities,
                authorities == null ? null : path(parameters.getOrDefault("sslcrl", values.sslcrl())));
        return new ClientTls(mode == SslMode.REQUIRE && material.hasAuthorities() ? SslMode.VERIFY_CA : mode, material);
    }

    private Path key(String text) throws IOException {
        Path key = path(text);
        if (key == null) {
            throw new IOException("sslcert needs sslkey, its private key");
        }
        return key;
    }

    /**
     * Returns the password to show to a server: of the environment, the parameter, or the file.
     *
     * @return null if there is none
     */
    public char[] password(String host, int port, String user) throws IOException {
        return password(Map.of(), host, port, user);
    }

    /**
     * As {@link #password(String, int, String)}.
     *
     * @param parameters what the endpoint says: {@code passfile}
     */
    public char[] password(Map<String, String> parameters, String host, int port, String user) throws IOException {
        String given = environment.getOrDefault("PGPASSWORD", config.password());
        if (!given.isEmpty()) {
            return given.toCharArray();
        }
        String configured = environment.getOrDefault("PGPASSFILE", config.passfile());
        Path file = path(parameters.getOrDefault("passfile", configured));
        return file == null ? null : Passfile.find(file, host, port, user);
    }

    /** Watches no more. */
    @Deactivate
    public void close() {
        Worker watching = watch;
        if (watching != null) {
            watching.close();
        }
    }
}
