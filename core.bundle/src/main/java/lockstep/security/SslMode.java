package lockstep.security;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** What a client demands of the connection, with libpq's names and meaning. */
public enum SslMode {
    /** No TLS. */
    DISABLE,
    /** TLS if the server insists. */
    ALLOW,
    /** TLS if the server can. */
    PREFER,
    /** TLS, with whoever answers. */
    REQUIRE,
    /** TLS, with a server whose certificate is signed by an authority of {@code sslrootcert}. */
    VERIFY_CA,
    /** Besides, the certificate is for the host that was asked for. */
    VERIFY_FULL;

    /**
     * Reads it.
     *
     * @throws IllegalArgumentException if it is none
     */
    public static SslMode parse(String text) {
        for (SslMode mode : values()) {
            if (mode.toString().equals(text)) {
                return mode;
            }
        }
        throw new IllegalArgumentException("sslmode \"" + text + "\" is none of "
                + Arrays.stream(values()).map(SslMode::toString).collect(Collectors.joining(", ")));
    }

    /** Returns whether the server's certificate is checked. */
    public boolean verifies() {
        return this == VERIFY_CA || this == VERIFY_FULL;
    }

    /** Returns how it is written. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
