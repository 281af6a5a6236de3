package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import lockstep.security.Certificates;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Servers that prove to each other who they are. */
final class TlsIT {
    private static final String PASSWORD = "open-sesame";
    private static final String WRONG_PASSWORD = "close-sesame";
    private static final int NEARLY_EXPIRED_DAYS = 5;

    @TempDir
    private Path folder;

    private final String endpoint = Pair.endpoint(Pair.freePort());

    private ServerProcess primary(String rules, String... settings) throws IOException {
        Path directory = folder.resolve("p");
        Files.createDirectories(directory);
        Files.writeString(directory.resolve("access.conf"), rules);
        return ServerProcess.primary(directory, options(List.of("--listen", endpoint), settings));
    }

    private ServerProcess standby(String name, String... settings) {
        return ServerProcess.standby(
                folder.resolve(name),
                endpoint + "?compression=zstd",
                options(List.of("--name", name, "--set", "wal_retrieve_retry_interval=100ms"), settings));
    }

    private static String[] options(List<String> first, String... settings) {
        List<String> options = new ArrayList<>(first);
        for (String setting : settings) {
            options.addAll(List.of("--set", setting));
        }
        return options.toArray(String[]::new);
    }

    private static String[] withCertificate(Certificates certificates, String name) {
        return new String[] {
            "sslmode=verify-full",
            "sslrootcert=" + certificates.file("ca.crt"),
            "sslcert=" + certificates.file(name + ".crt"),
            "sslkey=" + certificates.file(name + ".key")
        };
    }

    @Test
    void aStandbyWithACertificateStreamsOverTlsAndKeepsItsSessionWhenTheServersIsReplaced() throws IOException {
        Certificates certificates =
                new Certificates(folder.resolve("ca")).sign("db1").sign("s1").sign("new", NEARLY_EXPIRED_DAYS);
        Path crt = folder.resolve("server.crt");
        Path key = folder.resolve("server.key");
        certificates.install("db1", crt, key);
        String[] tls = {
            "ssl=on", "ssl_cert_file=" + crt, "ssl_key_file=" + key, "ssl_ca_file=" + certificates.file("ca.crt")
        };
        try (ServerProcess primary = primary("tcp all 127.0.0.0/8 cert\n", tls);
                ServerProcess standby = standby("s1", withCertificate(certificates, "s1"));
                ServerProcess impostor = standby("s2", withCertificate(certificates, "s1"))) {
            primary.start();
            standby.start();
            awaitReplicated(primary, standby, "before");
            String row = primary.shell("standbys", "--json");
            assertEquals("s1", ServerProcess.member(row, "identity"));
            assertEquals("TLSv1.3", ServerProcess.member(row, "encryption"));
            assertEquals("cert", ServerProcess.member(row, "authentication"));
            assertEquals("zstd", ServerProcess.member(row, "compression"));
            assertTrue(Integer.parseInt(ServerProcess.member(row, "certificate_days_left")) >= 364, row);
            String session = ServerProcess.member(row, "pid");

            certificates.install("new", crt, key);
            primary.await(() -> primary.log().contains("CN=new"));
            primary.await(() -> primary.log().contains("expires in 4 days"));
            awaitReplicated(primary, standby, "after");
            assertEquals(session, primary.ask("pid", "standbys"));

            Result refused = impostor.tryStart();
            assertEquals(1, refused.status(), refused::toString);
            assertTrue(
                    refused.err().contains("the server refuses: standby \"s2\" shows the certificate"),
                    refused::toString);
            primary.await(() -> primary.log()
                    .contains("standby \"s2\" shows the certificate of \"s1\", which may not be that standby"));
        }
    }

    private static void awaitReplicated(ServerProcess primary, ServerProcess standby, String key) {
        assertTrue(primary.shell("put", key, "value").startsWith("COMMIT"));
        standby.await(() -> standby.tryShell("get", key).out().strip().equals("value"));
    }

    @Test
    void aStandbyWithAWrongPasswordIsRefusedAndLetInWithTheRightOneAndNoSecretIsSeen() throws IOException {
        Path passfile = folder.resolve("passfile");
        passfile(passfile, WRONG_PASSWORD);
        try (ServerProcess primary = primary("tcp s1 127.0.0.1 scram-sha-256\n", "password=unused-sesame");
                ServerProcess standby = standby("s1", "passfile=" + passfile)) {
            Result passwd = ServerProcess.run(List.of(
                    "/bin/sh",
                    "-c",
                    "echo '" + PASSWORD + "' | \"$0\" passwd \"$1\" s1",
                    Path.of(System.getProperty("lockstep.home"), "bin/lockstep").toString(),
                    primary.directory().toString()));
            assertEquals(0, passwd.status(), passwd::toString);
            Path passwords = primary.directory().resolve("passwords");
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(passwords)));
            primary.start();
            assertEquals(1, standby.tryStart().status());
            primary.await(() -> primary.log().contains("the password is wrong"));
            passfile(passfile, PASSWORD);
            awaitReplicated(primary, standby, "key");
            assertEquals("scram-sha-256", primary.ask("authentication", "standbys"));

            Files.writeString(primary.directory().resolve("access.conf"), "tcp s1 all reject\n");
            primary.await(() -> primary.log().contains("access.conf, 1 lines"));
            standby.stop();
            standby.start();
            standby.await(() -> standby.log().contains("over tcp is refused by access.conf:1"));

            primary.shell("set", "password", "typed-sesame");
            assertTrue(primary.log().contains("password is set to ********"), primary::log);
            String verifier = Files.readString(passwords);
            String secretPart = verifier.substring(verifier.indexOf('$') + 1).strip();
            for (ServerProcess server : List.of(primary, standby)) {
                String seen = server.log()
                        + server.shell("show")
                        + server.shell("show", "--json")
                        + server.shell("show", "password")
                        + server.shell("status")
                        + passwd.out()
                        + passwd.err();
                assertFalse(seen.contains("sesame") || seen.contains(secretPart), seen);
            }
            assertEquals("********", primary.ask("value", "show", "password"));
        }
    }

    private static void passfile(Path file, String password) throws IOException {
        Files.writeString(file, "127.0.0.1:*:replication:s1:" + password + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    }
}
