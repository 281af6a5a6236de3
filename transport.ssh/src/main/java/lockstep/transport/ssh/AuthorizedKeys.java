package lockstep.transport.ssh;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.security.GeneralSecurityException;
import java.security.PublicKey;
import java.util.Locale;
import java.util.Set;
import org.apache.sshd.common.AttributeRepository.AttributeKey;
import org.apache.sshd.common.config.keys.AuthorizedKeyEntry;
import org.apache.sshd.common.config.keys.KeyUtils;
import org.apache.sshd.common.config.keys.PublicKeyEntryResolver;
import org.apache.sshd.server.auth.pubkey.PublickeyAuthenticator;
import org.apache.sshd.server.session.ServerSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whom the embedded server lets in: the keys in a file of OpenSSH's format, read at each try, so that a key that has been
 * removed opens nothing any more. An option in front of a key, which OpenSSH would enforce, makes the key void here unless
 * it only forbids what there is not.
 */
final class AuthorizedKeys implements PublickeyAuthenticator {
    /** Of a session: the user and the key that let it in. */
    static final AttributeKey<String> IDENTITY = new AttributeKey<>();

    private static final Logger log = LoggerFactory.getLogger(AuthorizedKeys.class);
    private static final Set<PosixFilePermission> OTHERS_WRITE =
            Set.of(PosixFilePermission.GROUP_WRITE, PosixFilePermission.OTHERS_WRITE);

    private final Path file;

    AuthorizedKeys(Path file) {
        this.file = file;
    }

    @Override
    public boolean authenticate(String user, PublicKey key, ServerSession session) {
        boolean known = false;
        try {
            known = isAuthorized(key);
        } catch (IOException | GeneralSecurityException e) {
            log.warn("nobody is let in: cannot read {}: {}", file, e.toString());
        }
        if (known) {
            session.setAttribute(IDENTITY, user + " " + KeyUtils.getFingerPrint(key));
        }
        return known;
    }

    private boolean isAuthorized(PublicKey key) throws IOException, GeneralSecurityException {
        if (!Files.exists(file)) {
            log.warn("nobody is let in: there is no {}; it has a line for each public key, as the .pub files", file);
            return false;
        } else if (Files.getPosixFilePermissions(file).stream().anyMatch(OTHERS_WRITE::contains)) {
            log.warn("nobody is let in: others than its owner may write {}; run: chmod go-w {}", file, file);
            return false;
        }
        for (AuthorizedKeyEntry entry : AuthorizedKeyEntry.readAuthorizedKeys(file)) {
            if (KeyUtils.compareKeys(key, entry.resolvePublicKey(null, PublicKeyEntryResolver.IGNORING))) {
                return isUnrestricted(entry);
            }
        }
        log.info("the key {} is not let in: it is not in {}", KeyUtils.getFingerPrint(key), file);
        return false;
    }

    private boolean isUnrestricted(AuthorizedKeyEntry entry) {
        for (String option : entry.getLoginOptions().keySet()) {
            String name = option.toLowerCase(Locale.ROOT);
            if (!name.equals("restrict") && !name.startsWith("no-")) {
                log.warn("a key in {} is not let in: its option {} is not supported here", file, option);
                return false;
            }
        }
        return true;
    }
}
