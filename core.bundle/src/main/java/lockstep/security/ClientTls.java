package lockstep.security;

/**
 * How a client uses TLS.
 *
 * @param mode what it demands. With {@link SslMode#REQUIRE} and an authority to check with it is {@link SslMode#VERIFY_CA},
 *     as in libpq
 * @param material its certificate, if it has one, and the authorities it trusts; null if there is to be no TLS
 */
public record ClientTls(SslMode mode, TlsMaterial material) {}
