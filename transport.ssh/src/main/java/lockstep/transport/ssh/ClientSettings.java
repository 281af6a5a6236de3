package lockstep.transport.ssh;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import lockstep.config.Units;

/**
 * The parameters that connecting needs, with paths made whole.
 *
 * @param identityFiles the private keys; all of them must be readable
 * @param agentSocket where the agent is; null for none
 * @param passphrase read anew for each connection, and kept nowhere
 */
record ClientSettings(
        List<Path> identityFiles,
        Path agentSocket,
        Passphrase passphrase,
        Path knownHosts,
        int openMs,
        String ciphers,
        boolean compression,
        long aliveNanos,
        int aliveCountMax) {
    private static final List<String> DEFAULT_KEYS = List.of("id_ed25519", "id_ecdsa", "id_rsa");
    private static final String AGENT_VARIABLE = "SSH_AUTH_SOCK";

    /** Where the passphrase of the private keys is. */
    @FunctionalInterface
    interface Passphrase {
        /** Returns its bytes, which the caller wipes; null if none is configured. */
        byte[] read() throws IOException;
    }

    static ClientSettings of(SshConfiguration config, Path directory, Map<String, String> environment) {
        Path home = Path.of(System.getProperty("user.home"));
        List<Path> keys = new ArrayList<>();
        for (String file : config.identityFile().split(",", -1)) {
            if (!file.isBlank()) {
                keys.add(path(file, directory, home));
            }
        }
        if (keys.isEmpty()) {
            DEFAULT_KEYS.stream()
                    .map(home.resolve(".ssh")::resolve)
                    .filter(Files::isReadable)
                    .forEach(keys::add);
        }
        String agent = config.identityAgent().strip();
        if (agent.equals(AGENT_VARIABLE)) {
            agent = environment.getOrDefault(AGENT_VARIABLE, "");
        }
        return new ClientSettings(
                List.copyOf(keys),
                agent.isEmpty() || agent.equals("none") ? null : path(agent, directory, home),
                passphrase(config, directory, home, environment),
                path(config.knownHostsFile(), directory, home),
                (int) Units.millis(config.connectTimeout()),
                config.ciphers(),
                config.compression(),
                Units.nanos(config.serverAliveInterval()),
                config.serverAliveCountMax());
    }

    private static Passphrase passphrase(
            SshConfiguration config, Path directory, Path home, Map<String, String> environment) {
        String file = config.passphraseFile().strip();
        String variable = config.passphraseEnvironment().strip();
        if (!file.isEmpty()) {
            Path path = path(file, directory, home);
            return () -> firstLine(path);
        } else if (!variable.isEmpty()) {
            return () -> {
                String value = environment.get(variable);
                if (value == null) {
                    throw new IOException("ssh.passphrase_environment names " + variable
                            + ", which is not in this server's environment");
                }
                return value.getBytes(StandardCharsets.UTF_8);
            };
        }
        return () -> null;
    }

    private static byte[] firstLine(Path path) throws IOException {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(path);
        } catch (IOException e) {
            throw new IOException("cannot read ssh.passphrase_file " + path + ": " + e, e);
        }
        int end = 0;
        while (end < bytes.length && bytes[end] != '\n' && bytes[end] != '\r') {
            end++;
        }
        byte[] line = java.util.Arrays.copyOf(bytes, end);
        java.util.Arrays.fill(bytes, (byte) 0);
        return line;
    }

    /** Makes a path of a parameter whole. */
    static Path path(String text, Path directory, Path home) {
        String path = text.strip();
        return path.startsWith("~/") ? home.resolve(path.substring(2)) : directory.resolve(path);
    }
}
