package lockstep.transport.ssh;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.util.Set;
import org.apache.sshd.common.config.keys.KeyUtils;
import org.apache.sshd.common.config.keys.writer.openssh.OpenSSHKeyPairResourceWriter;
import org.apache.sshd.common.keyprovider.KeyPairProvider;
import org.apache.sshd.common.util.io.resource.PathResource;
import org.apache.sshd.common.util.security.SecurityUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The key by which clients know the embedded server: an Ed25519 key in OpenSSH's format, made when it is missing, readable
 * by its owner only, with the public key beside it.
 */
final class HostKey {
    private static final Logger log = LoggerFactory.getLogger(HostKey.class);
    private static final int BITS = 256;
    private static final String COMMENT = "lockstep";

    private HostKey() {}

    /** Reads the key, or makes one. */
    static KeyPair loadOrCreate(Path file) throws IOException {
        try {
            return Files.exists(file) ? load(file) : create(file);
        } catch (GeneralSecurityException e) {
            throw new IOException("host key " + file + ": " + e.getMessage(), e);
        }
    }

    private static KeyPair load(Path file) throws IOException, GeneralSecurityException {
        try (InputStream in = Files.newInputStream(file)) {
            Iterable<KeyPair> keys = SecurityUtils.loadKeyPairIdentities(null, new PathResource(file), in, null);
            if (keys == null) {
                throw new IOException("host key " + file + " holds no private key");
            }
            return keys.iterator().next();
        }
    }

    private static KeyPair create(Path file) throws IOException, GeneralSecurityException {
        KeyPair key = KeyUtils.generateKeyPair(KeyPairProvider.SSH_ED25519, BITS);
        Files.createDirectories(file.toAbsolutePath().getParent());
        ByteArrayOutputStream secret = new ByteArrayOutputStream();
        OpenSSHKeyPairResourceWriter.INSTANCE.writePrivateKey(key, COMMENT, null, secret);
        ByteArrayOutputStream open = new ByteArrayOutputStream();
        OpenSSHKeyPairResourceWriter.INSTANCE.writePublicKey(key, COMMENT, open);
        open.write('\n');
        write(Path.of(file + ".pub"), open.toByteArray(), "rw-r--r--");
        write(file, secret.toByteArray(), "rw-------");
        log.info("made the host key {}, {}", file, KeyUtils.getFingerPrint(key.getPublic()));
        return key;
    }

    /** Makes the file with its permissions from the beginning, and under its name only when it is whole. */
    private static void write(Path file, byte[] content, String permissions) throws IOException {
        Path temporary = Path.of(file + ".tmp");
        Files.deleteIfExists(temporary);
        try (FileChannel channel = FileChannel.open(
                temporary,
                Set.of(StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions)))) {
            channel.write(ByteBuffer.wrap(content));
            channel.force(true);
        }
        Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
    }
}
