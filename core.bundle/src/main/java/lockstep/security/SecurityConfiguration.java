package lockstep.security;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.AttributeType;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;
import org.osgi.service.metatype.annotations.Option;

/**
 * The parameters of security, in {@code lockstep.conf}. Names and meaning are PostgreSQL's: of the server where they begin
 * with {@code ssl_}, of libpq where there is no underscore. Paths are relative to the data directory; {@code ~/} is the home
 * of the user this server runs as.
 */
@ObjectClassDefinition(pid = SecurityConfiguration.PID, name = "Lockstep security")
public @interface SecurityConfiguration {
    /** What {@link Security} takes. */
    String PID = "lockstep.security";

    /** Whether. */
    @AttributeDefinition(
            description = "Whether to listen with TLS, and TLS only, unless an endpoint says otherwise (?ssl=off).")
    boolean ssl() default false;

    /** A path. */
    @AttributeDefinition(
            description = "The certificate of this server in PEM form, followed by those between it and its authority.")
    String sslCertFile() default "server.crt";

    /** A path. */
    @AttributeDefinition(
            description = "The private key of ssl_cert_file: PKCS#8 in PEM form, readable by its owner only.")
    String sslKeyFile() default "server.key";

    /** A path; empty is none. */
    @AttributeDefinition(
            description = "The authorities whose certificates clients may show; without any, clients cannot show one.")
    String sslCaFile() default "";

    /** A path; empty is none. */
    @AttributeDefinition(description = "The certificates that the authorities of ssl_ca_file have revoked.")
    String sslCrlFile() default "";

    /** A duration. */
    @AttributeDefinition(
            description = "For how long before a certificate of this server expires the log warns of it, once a day.",
            min = "0")
    String sslExpiryWarning() default "30d";

    /** A duration. */
    @AttributeDefinition(
            description = "How long a connection may take to prove who it is, TLS included.",
            min = "100ms",
            max = "10min")
    String authenticationTimeout() default "10s";

    /** How many. */
    @AttributeDefinition(
            description = "How many connections to a listener may be there without having proved who they are.",
            min = "1",
            max = "100000")
    int maxUnauthenticatedConnections() default 64;

    /** How many. */
    @AttributeDefinition(description = "How many of them may come from one address.", min = "1", max = "100000")
    int maxUnauthenticatedPerAddress() default 32;

    /** An {@link SslMode}, or {@code default}. */
    @AttributeDefinition(
            description = "What this server demands when it connects to another: default is verify-full, and disable to"
                    + " a loopback address. An endpoint may say otherwise (?sslmode=…).",
            options = {
                @Option(label = "default", value = "default"),
                @Option(label = "disable", value = "disable"),
                @Option(label = "require", value = "require"),
                @Option(label = "verify-ca", value = "verify-ca"),
                @Option(label = "verify-full", value = "verify-full")
            })
    String sslmode() default "default";

    /** A path; empty is none. */
    @AttributeDefinition(
            description = "The authorities that the certificate of a server to connect to is checked with.")
    String sslrootcert() default "";

    /** A path; empty is none. */
    @AttributeDefinition(description = "The certificate to show to a server that asks for one.")
    String sslcert() default "";

    /** A path; empty is none. */
    @AttributeDefinition(description = "The private key of sslcert: PKCS#8 in PEM form, readable by its owner only.")
    String sslkey() default "";

    /** A path; empty is none. */
    @AttributeDefinition(description = "The certificates that the authorities of sslrootcert have revoked.")
    String sslcrl() default "";

    /** A password; empty is none. */
    @AttributeDefinition(
            type = AttributeType.PASSWORD,
            description = "The password to show to a server that asks for one; better kept in passfile.")
    String password() default "";

    /** A path. */
    @AttributeDefinition(
            description =
                    "The file of passwords for connecting, HOST:PORT:replication:USER:PASSWORD a line, readable by"
                            + " its owner only. The environment variable PGPASSWORD is looked at first.")
    String passfile() default "~/.pgpass";
}
