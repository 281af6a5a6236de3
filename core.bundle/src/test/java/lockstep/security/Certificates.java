package lockstep.security;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * An authority of a test and the certificates that it signs, made by {@code openssl} in a folder: {@code NAME.crt} and
 * {@code NAME.key}, the authority's own as {@code ca}.
 */
public final class Certificates {
    private static final String CONFIG = """
            [req]
            distinguished_name = name
            [name]
            [ca]
            default_ca = authority
            [authority]
            database = index.txt
            crlnumber = crlnumber
            default_md = sha256
            default_crl_days = 30
            """;
    private static final long PATIENCE_S = 60;

    private final Path folder;

    /** Makes an authority. */
    public Certificates(Path folder) throws IOException {
        this.folder = folder;
        Files.createDirectories(folder);
        Files.writeString(file("openssl.cnf"), CONFIG);
        Files.writeString(file("index.txt"), "");
        Files.writeString(file("crlnumber"), "01\n");
        request("ca", 3650, "-addext", "basicConstraints=critical,CA:TRUE");
    }

    /** Makes a certificate for a name, which as a server is this machine. */
    public Certificates sign(String name) throws IOException {
        return sign(name, 365);
    }

    /** As {@link #sign(String)}, valid for a number of days. */
    public Certificates sign(String name, int days) throws IOException {
        request(
                name,
                days,
                "-CA",
                "ca.crt",
                "-CAkey",
                "ca.key",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1");
        return this;
    }

    /** Writes into {@code ca.crl} that the certificate of a name, and of no other, is void. */
    public void revoke(String name) throws IOException {
        openssl("ca", "-config", "openssl.cnf", "-cert", "ca.crt", "-keyfile", "ca.key", "-revoke", name + ".crt");
        openssl("ca", "-config", "openssl.cnf", "-cert", "ca.crt", "-keyfile", "ca.key", "-gencrl", "-out", "ca.crl");
    }

    private void request(String name, int days, String... more) throws IOException {
        List<String> command = new ArrayList<>(List.of("req", "-config", "openssl.cnf", "-x509", "-newkey", "ec"));
        command.addAll(List.of("-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/O=Lockstep/CN=" + name));
        command.addAll(List.of("-days", Integer.toString(days), "-keyout", name + ".key", "-out", name + ".crt"));
        command.addAll(List.of(more));
        openssl(command.toArray(String[]::new));
    }

    private void openssl(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("openssl"));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (!process.waitFor(PATIENCE_S, TimeUnit.SECONDS) || process.exitValue() != 0) {
                throw new IOException(command + ": " + said);
            }
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    /** Returns a file of the folder. */
    public Path file(String name) {
        return folder.resolve(name);
    }

    /** Copies the certificate and the key of a name to where others look for them. */
    public void install(String name, Path certificate, Path key) throws IOException {
        Files.copy(file(name + ".key"), key, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        Files.copy(file(name + ".crt"), certificate, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    }
}
