package lockstep.transport.ssh;

import com.jcraft.jsch.AgentIdentityRepository;
import com.jcraft.jsch.AgentProxyException;
import com.jcraft.jsch.Identity;
import com.jcraft.jsch.IdentityRepository;
import com.jcraft.jsch.JSch;
import com.jcraft.jsch.JSchException;
import com.jcraft.jsch.KeyPair;
import com.jcraft.jsch.SSHAgentConnector;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Vector;

/** The keys to try when connecting: those in files, and then the agent's. Nothing is ever added to the agent. */
@SuppressWarnings("JdkObsolete") // JSch's interface speaks of Vector
final class Identities implements IdentityRepository {
    private final Vector<Identity> all = new Vector<>();
    private final List<String> names = new ArrayList<>();

    /**
     * Reads them.
     *
     * @throws IOException if a key cannot be read or decrypted, or there is none at all; says which and what to do
     */
    static Identities read(ClientSettings settings) throws IOException {
        Identities identities = new Identities();
        byte[] passphrase = settings.passphrase().read();
        try {
            for (Path file : settings.identityFiles()) {
                identities.add(file, passphrase);
            }
        } finally {
            if (passphrase != null) {
                Arrays.fill(passphrase, (byte) 0);
            }
        }
        if (settings.agentSocket() != null) {
            identities.addAgent(settings.agentSocket());
        }
        if (identities.all.isEmpty()) {
            throw new IOException("there is no key to connect with: set ssh.identity_file"
                    + (identities.names.isEmpty() ? "" : " (tried " + identities + ")"));
        }
        return identities;
    }

    private void add(Path file, byte[] passphrase) throws IOException {
        if (!Files.isReadable(file)) {
            throw new IOException("cannot read the private key " + file + ": see ssh.identity_file");
        }
        try {
            JSch jsch = new JSch();
            KeyPair key = KeyPair.load(jsch, file.toString());
            try {
                if (key.isEncrypted() && passphrase == null) {
                    throw new IOException("the private key " + file
                            + " needs a passphrase: set ssh.passphrase_file or ssh.passphrase_environment");
                } else if (key.isEncrypted() && !key.decrypt(passphrase.clone())) {
                    throw new IOException("the passphrase is not that of the private key " + file
                            + ": see ssh.passphrase_file and ssh.passphrase_environment");
                }
            } finally {
                key.dispose();
            }
            jsch.addIdentity(file.toString(), passphrase == null ? null : passphrase.clone());
            all.addAll(jsch.getIdentityRepository().getIdentities());
            names.add(file.toString());
        } catch (JSchException e) {
            throw new IOException("cannot read the private key " + file + ": " + e.getMessage(), e);
        }
    }

    private void addAgent(Path socket) {
        try {
            Vector<Identity> agents = new AgentIdentityRepository(new SSHAgentConnector(socket)).getIdentities();
            all.addAll(agents);
            names.add("the agent at " + socket + " with " + agents.size() + (agents.size() == 1 ? " key" : " keys"));
        } catch (AgentProxyException e) {
            names.add("no agent at " + socket);
        }
    }

    @Override
    public String getName() {
        return "lockstep";
    }

    @Override
    public int getStatus() {
        return RUNNING;
    }

    @Override
    public Vector<Identity> getIdentities() {
        return all;
    }

    @Override
    public boolean add(byte[] identity) {
        return false;
    }

    @Override
    public boolean remove(byte[] blob) {
        return false;
    }

    @Override
    public void removeAll() {
        all.forEach(Identity::clear);
        all.clear();
    }

    /** Returns where they come from. */
    @Override
    public String toString() {
        return String.join(", ", names);
    }
}
