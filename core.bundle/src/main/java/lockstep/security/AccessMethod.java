package lockstep.security;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** How a peer proves that it may be who it says. */
public enum AccessMethod {
    /** It need not. */
    TRUST("trust"),
    /** It cannot: it is not let in. */
    REJECT("reject"),
    /** By a password, which never travels. */
    SCRAM_SHA_256("scram-sha-256"),
    /** By a certificate of TLS that an authority of {@code ssl_ca_file} has signed. */
    CERT("cert"),
    /** By whatever the transport has for that: a key of SSH, the user at the other end of a Unix socket. */
    PEER("peer");

    private final String word;

    AccessMethod(String word) {
        this.word = word;
    }

    static Optional<AccessMethod> of(String word) {
        return Arrays.stream(values())
                .filter(method -> method.word.equals(word))
                .findFirst();
    }

    static String words() {
        return Arrays.stream(values()).map(method -> method.word).collect(Collectors.joining(", "));
    }

    /** Returns how it is written. */
    @Override
    public String toString() {
        return word;
    }
}
