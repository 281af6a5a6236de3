package lockstep.security;

import com.ongres.scram.common.ScramFunctions;
import com.ongres.scram.common.ScramMechanism;
import com.ongres.scram.common.StringPreparation;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a server knows of a password: enough to check it, too little to use it. Its text is PostgreSQL's, as in {@code
 * pg_authid.rolpassword}: {@code SCRAM-SHA-256$4096:SALT$STORED_KEY:SERVER_KEY}, so verifiers can be taken over from there.
 */
public final class ScramVerifier {
    static final ScramMechanism MECHANISM = ScramMechanism.SCRAM_SHA_256;

    private static final int ITERATIONS = 4096;
    private static final int MAX_ITERATIONS = 10_000_000;
    private static final int SALT_BYTES = 16;
    private static final int KEY_BYTES = 32;
    private static final String BASE64 = "([A-Za-z0-9+/]+={0,2})";
    private static final Pattern FORM =
            Pattern.compile("SCRAM-SHA-256\\$([0-9]{1,8}):" + BASE64 + "\\$" + BASE64 + ":" + BASE64);
    private static final SecureRandom RANDOM = new SecureRandom();

    final int iterations;
    final byte[] salt;
    final byte[] storedKey;
    final byte[] serverKey;

    ScramVerifier(int iterations, byte[] salt, byte[] storedKey, byte[] serverKey) {
        this.iterations = iterations;
        this.salt = salt;
        this.storedKey = storedKey;
        this.serverKey = serverKey;
    }

    /** Makes one for a password, which is prepared as PostgreSQL does. */
    public static ScramVerifier of(char[] password) {
        byte[] salt = ScramFunctions.salt(SALT_BYTES, RANDOM);
        byte[] salted = ScramFunctions.saltedPassword(
                MECHANISM, StringPreparation.POSTGRESQL_PREPARATION, password, salt, ITERATIONS);
        byte[] storedKey = ScramFunctions.storedKey(MECHANISM, ScramFunctions.clientKey(MECHANISM, salted));
        return new ScramVerifier(ITERATIONS, salt, storedKey, ScramFunctions.serverKey(MECHANISM, salted));
    }

    /**
     * Reads the text.
     *
     * @throws IllegalArgumentException if it is none; does not show it
     */
    public static ScramVerifier parse(String text) {
        Matcher matcher = FORM.matcher(text);
        if (matcher.matches()) {
            Base64.Decoder base64 = Base64.getDecoder();
            ScramVerifier verifier = new ScramVerifier(
                    Integer.parseInt(matcher.group(1)),
                    base64.decode(matcher.group(2)),
                    base64.decode(matcher.group(3)),
                    base64.decode(matcher.group(4)));
            if (verifier.iterations > 0
                    && verifier.iterations <= MAX_ITERATIONS
                    && verifier.storedKey.length == KEY_BYTES
                    && verifier.serverKey.length == KEY_BYTES) {
                return verifier;
            }
        }
        throw new IllegalArgumentException("expected SCRAM-SHA-256$ITERATIONS:SALT$STORED_KEY:SERVER_KEY");
    }

    /**
     * Returns one that no password fits. To somebody who guesses, it looks like that of a real user: each name has a salt
     * of its own, always the same.
     *
     * @param secret known to this server only
     */
    static ScramVerifier ofNobody(String name, byte[] secret) {
        byte[] digest = ScramFunctions.hmac(MECHANISM, secret, name.getBytes(java.nio.charset.StandardCharsets.UTF_8));
        byte[] random = new byte[KEY_BYTES];
        RANDOM.nextBytes(random);
        return new ScramVerifier(ITERATIONS, java.util.Arrays.copyOf(digest, SALT_BYTES), random, random);
    }

    /** Returns the text, which is for the file of passwords only. */
    String text() {
        Base64.Encoder base64 = Base64.getEncoder();
        return "SCRAM-SHA-256$" + iterations + ":" + base64.encodeToString(salt) + "$"
                + base64.encodeToString(storedKey) + ":" + base64.encodeToString(serverKey);
    }

    @Override
    public String toString() {
        return "SCRAM-SHA-256 verifier";
    }
}
