package lockstep.transport.api;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The other side of a session, as the transport knows it.
 *
 * @param address where it is, for people and logs, such as {@code 127.0.0.1:40112}; never empty. Rules for addresses hold
 *     for those of this form; whoever has another is taken for somebody without an address
 * @param identity whom authentication established, such as the subject of a certificate or the name of a user; empty if
 *     nobody was authenticated. What a peer merely says of itself is no identity
 * @param flushedWalOnly true when the peer's protocol has no field for the primary's flush position. Such a peer is sent
 *     only WAL that the primary has flushed, because it would apply all that it gets.
 * @param admittedAs the name of the standby that the transport let in, if it asked for one and judged it by the rules of
 *     {@code access.conf}; the core lets the session be no other. If empty, the core judges by those rules itself, when the
 *     peer says which standby it is
 * @param facts what else there is to know of the link, by name, for operators: {@link #AUTHENTICATION}, {@link #CIPHER} and
 *     so on where they apply, and any other. In an order worth reading; without secrets
 */
public record Peer(
        String address,
        String identity,
        boolean flushedWalOnly,
        Optional<String> admittedAs,
        Map<String, String> facts) {
    /** The fact by what means {@link #identity} was established, such as {@code scram-sha-256}. */
    public static final String AUTHENTICATION = "authentication";

    /** The fact what protects the bytes on their way, such as {@code TLSv1.3}. */
    public static final String ENCRYPTION = "encryption";

    /** The fact which cipher does. */
    public static final String CIPHER = "cipher";

    /** The fact by what bulk data is made smaller on its way, such as {@code lz4}. */
    public static final String COMPRESSION = "compression";

    /** The fact which serial number the peer's certificate has, in hexadecimal digits. */
    public static final String CERTIFICATE_SERIAL = "certificate_serial";

    /** The fact when the peer's certificate expires, as ISO 8601 writes it in UTC: {@code 2027-01-31T12:00:00Z}. */
    public static final String CERTIFICATE_EXPIRES = "certificate_expires";

    /** Copies the facts. */
    public Peer {
        facts = Collections.unmodifiableMap(new LinkedHashMap<>(facts));
    }

    /** A peer of which no more is known. */
    public Peer(String address, String identity, boolean flushedWalOnly) {
        this(address, identity, flushedWalOnly, Optional.empty(), Map.of());
    }
}
