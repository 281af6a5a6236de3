package lockstep.transport.ssh;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/**
 * The parameters of the transport, in {@code lockstep.conf}, with the names of OpenSSH's {@code ssh_config} and {@code
 * sshd_config}. Paths are relative to the data directory; {@code ~/} is the home of the user this server runs as.
 */
@ObjectClassDefinition(pid = SshConfiguration.PID, name = "Lockstep SSH transport")
public @interface SshConfiguration {
    /** The last part qualifies the names: {@code ssh.identity_file}. */
    String PID = "lockstep.transport.ssh";

    /** Paths, separated by commas. */
    @AttributeDefinition(
            description = "The private keys to connect with, separated by commas; when empty those of"
                    + " ~/.ssh/id_ed25519, id_ecdsa and id_rsa that are there.")
    String identityFile() default "";

    /** A path, {@code SSH_AUTH_SOCK} or {@code none}. */
    @AttributeDefinition(
            description =
                    "The socket of the agent whose keys are tried too: a path, SSH_AUTH_SOCK for the one that this"
                            + " environment variable names, or none.")
    String identityAgent() default "SSH_AUTH_SOCK";

    /** A path. */
    @AttributeDefinition(description = "The file whose first line is the passphrase of the private keys.")
    String passphraseFile() default "";

    /** The name of an environment variable. */
    @AttributeDefinition(
            description = "The environment variable that holds the passphrase of the private keys, when there is no"
                    + " passphrase_file.")
    String passphraseEnvironment() default "";

    /** A path. */
    @AttributeDefinition(
            description =
                    "The file of host keys, as ssh-keyscan writes it; a server whose key is not in it is refused.")
    String knownHostsFile() default "~/.ssh/known_hosts";

    /** A duration. */
    @AttributeDefinition(description = "How long it may take until a session is open.", min = "1ms", max = "10s")
    String connectTimeout() default "10s";

    /** Names, separated by commas. */
    @AttributeDefinition(description = "The ciphers to offer when connecting, in order of preference.")
    String ciphers() default
            "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr," + "aes256-ctr";

    /** Whether. */
    @AttributeDefinition(description = "Whether to ask for compression when connecting; for slow lines only.")
    boolean compression() default false;

    /** A duration; 0 is never. */
    @AttributeDefinition(
            description =
                    "After how long without a byte from an SSH server it is asked for a sign of life; 0 for never.",
            min = "0")
    String serverAliveInterval() default "15s";

    /** How many. */
    @AttributeDefinition(
            description = "How many signs of life may be missing before the session is ended.",
            min = "1",
            max = "1000")
    int serverAliveCountMax() default 3;

    /** A path. */
    @AttributeDefinition(
            description = "The embedded server's private key, which is made when it is missing. Counts for what is"
                    + " listened on from then on.")
    String hostKey() default "ssh/host_key";

    /** A path. */
    @AttributeDefinition(
            description = "The public keys that the embedded server lets in, one a line; read whenever somebody comes.")
    String authorizedKeysFile() default "ssh/authorized_keys";

    /** A duration. */
    @AttributeDefinition(
            description = "How long a connection to the embedded server may take to authenticate.",
            min = "1s",
            max = "10min")
    String loginGraceTime() default "10s";

    /** How many. */
    @AttributeDefinition(
            description = "How many keys a connection to the embedded server may try.",
            min = "1",
            max = "100")
    int maxAuthTries() default 6;

    /** How many. */
    @AttributeDefinition(
            description = "How many connections to the embedded server may be unauthenticated at a time.",
            min = "1",
            max = "1000")
    int maxStartups() default 64;

    /** A size. */
    @AttributeDefinition(
            description = "After how many bytes the embedded server makes new keys. An ordinary SSH server has a"
                    + " RekeyLimit of its own.",
            min = "1MB")
    String rekeyLimit() default "16GB";
}
