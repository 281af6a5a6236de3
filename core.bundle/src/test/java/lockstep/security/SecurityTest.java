package lockstep.security;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.CertificateException;
import java.util.HashMap;
import java.util.Map;
import javax.net.ssl.X509TrustManager;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

class SecurityTest {
    private static final InetAddress LOOPBACK = InetAddress.getLoopbackAddress();

    @TempDir
    private Path folder;

    private final Logger logger = (Logger) LoggerFactory.getLogger("lockstep.security");
    private final ListAppender<ILoggingEvent> log = new ListAppender<>();
    private final Map<String, Object> settings = new HashMap<>();

    @BeforeEach
    void listen() {
        log.start();
        logger.addAppender(log);
    }

    @AfterEach
    void listenNoMore() {
        logger.detachAppender(log);
    }

    private Security security(String... environment) {
        return new Security(
                folder,
                environment.length == 0 ? Map.of() : Map.of(environment[0], environment[1]),
                SecuritySettings.except(settings));
    }

    private String logged() {
        return String.join(
                "\n", log.list.stream().map(ILoggingEvent::getFormattedMessage).toList());
    }

    private void secret(String file, String content) throws IOException {
        Path path = folder.resolve(file);
        Files.writeString(path, content);
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
    }

    @Test
    void changedRulesCountAtOnceAndBrokenOnesDoNot() throws Exception {
        Security security = security();
        assertEquals(
                AccessMethod.TRUST, security.rules().find("tcp", "s1", LOOPBACK).method());
        Path file = folder.resolve("access.conf");
        Files.writeString(file, "tcp all all cert\n");
        assertEquals(
                AccessMethod.CERT, security.rules().find("tcp", "s1", LOOPBACK).method());
        Files.writeString(file, "tcp all all sesame\n");
        assertEquals(
                AccessMethod.CERT, security.rules().find("tcp", "s1", LOOPBACK).method());
        assertEquals(
                AccessMethod.CERT, security.rules().find("tcp", "s1", LOOPBACK).method());
        String text = logged();
        assertTrue(text.contains("access.conf:1: \"sesame\" is no method"), text);
        assertTrue(text.contains("what was read before goes on to count: access.conf"), text);
        assertEquals(text.indexOf("sesame"), text.lastIndexOf("sesame"), "it is said once: " + text);
    }

    @Test
    void rulesThatWereBrokenFromTheStartLetNobodyIn() throws Exception {
        Files.writeString(folder.resolve("access.conf"), "tcp all\n");
        Security security = security();
        AccessException e =
                assertThrows(AccessException.class, () -> security.rules().find("tcp", "s1", LOOPBACK));
        assertTrue(
                e.getMessage().startsWith("no line of access.conf, which is broken (the log says where),"),
                e.getMessage());
    }

    @Test
    void aStoredPasswordIsCheckedAndItsFileIsItsOwnersAlone() throws Exception {
        Path file = folder.resolve("passwords");
        assertFalse(PasswordFile.set(file, "s1", "one".toCharArray()));
        assertFalse(PasswordFile.set(file, "s2", "two".toCharArray()));
        assertTrue(PasswordFile.set(file, "s1", "other".toCharArray()));
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
        Security security = security();
        assertTrue(Files.readString(file).contains(security.verifier("s2").text()));
        assertTrue(PasswordFile.set(file, "s2", null));
        assertTrue(Files.readAllLines(file).stream().noneMatch(line -> line.startsWith("s2:")));
        assertNotSame(security.verifier("s2"), security.verifier("s2"), "it is nobody's by now");
        assertFalse(Files.readString(file).contains("other"));
    }

    @Test
    void aFileOfSecretsThatOthersCanReadIsRefusedWithTheCure() throws Exception {
        Path file = folder.resolve("passwords");
        PasswordFile.set(file, "s1", "one".toCharArray());
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
        Security security = security();
        IOException e = assertThrows(IOException.class, () -> security.verifier("s1"));
        assertEquals(
                "others than its owner can use " + file + ", which holds secrets; run: chmod 600 " + file,
                e.getMessage());
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        assertTrue(Files.readString(file).contains(security.verifier("s1").text()), "the cure is noticed");
    }

    @Test
    void aBrokenVerifierIsNamedByItsLineAndNotShown() throws Exception {
        secret("passwords", "s1:SCRAM-SHA-256$4096:hunter2\n");
        IOException e = assertThrows(IOException.class, () -> security().verifier("s1"));
        assertTrue(e.getMessage().contains("passwords:1: expected NAME:SCRAM-SHA-256$"), e.getMessage());
        assertFalse((e + logged() + e.getCause()).contains("hunter2"));
    }

    @Test
    void thePasswordToShowIsFoundAsLibpqFindsIt() throws Exception {
        secret("pass", "# a remark\ndb1:5440:replication:s1:a\\:b\\\\c\n*:*:*:s2:two\ndb1:5440:mydb:s3:no\n");
        settings.put("passfile", "pass");
        assertArrayEquals("a:b\\c".toCharArray(), security().password("db1", 5440, "s1"));
        assertArrayEquals("two".toCharArray(), security().password("db9", 1, "s2"));
        assertNull(security().password("db1", 5440, "s3"));
        assertNull(security().password("db1", 5441, "s1"));
        assertArrayEquals("env".toCharArray(), security("PGPASSWORD", "env").password("db1", 5440, "s1"));
        settings.put("password", "set");
        assertArrayEquals("set".toCharArray(), security().password("db1", 5440, "s1"));
    }

    @Test
    void certificatesAreTakenUpWhenTheyChangeAndBrokenOnesAreNot() throws Exception {
        Certificates certificates =
                new Certificates(folder.resolve("ca")).sign("one").sign("two");
        Path crt = folder.resolve("server.crt");
        Path key = folder.resolve("server.key");
        certificates.install("one", crt, key);
        Security security = security();
        TlsMaterial first = security.serverTls();
        assertSame(first, security.serverTls());
        assertEquals("one", TlsMaterial.commonName(first.chain()[0]));
        Files.copy(certificates.file("two.key"), key, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        assertSame(first, security.serverTls(), "the key is not that of the certificate");
        assertTrue(logged().contains("is not that of the certificate in " + crt), logged());
        certificates.install("two", crt, key);
        assertEquals("two", TlsMaterial.commonName(security.serverTls().chain()[0]));
        Files.writeString(crt, "-----BEGIN CERTIFICATE-----\nMIIB\n");
        assertEquals("two", TlsMaterial.commonName(security.serverTls().chain()[0]));
        assertTrue(logged().contains(crt + " holds no certificate"), logged());
    }

    @Test
    void aKeyThatCannotBeUsedIsRefusedWithTheCureAndNotShown() throws Exception {
        Certificates certificates = new Certificates(folder.resolve("ca")).sign("one");
        Path key = folder.resolve("server.key");
        certificates.install("one", folder.resolve("server.crt"), key);
        String sec1 = Files.readString(key).replace("PRIVATE", "EC PRIVATE");
        Files.writeString(key, sec1);
        IOException e = assertThrows(IOException.class, () -> security().serverTls());
        assertTrue(e.getMessage().contains("run: openssl pkcs8 -topk8 -nodes -in " + key), e.getMessage());
        Files.delete(key);
        assertEquals(
                "there is no file " + key,
                assertThrows(IOException.class, () -> security().serverTls()).getMessage());
    }

    @Test
    void aRevokedCertificateIsNotTrusted() throws Exception {
        Certificates certificates =
                new Certificates(folder.resolve("ca")).sign("good").sign("bad");
        certificates.revoke("bad");
        settings.putAll(Map.of("sslmode", "verify-ca", "sslrootcert", "ca/ca.crt", "sslcrl", "ca/ca.crl"));
        TlsMaterial material = security().clientTls(Map.of(), SslMode.DISABLE).material();
        X509TrustManager trust = (X509TrustManager) material.trust().getTrustManagers()[0];
        var good = Pem.certificates(certificates.file("good.crt")).get(0);
        var bad = Pem.certificates(certificates.file("bad.crt")).get(0);
        trust.checkServerTrusted(new java.security.cert.X509Certificate[] {good}, "UNKNOWN");
        CertificateException e = assertThrows(
                CertificateException.class,
                () -> trust.checkServerTrusted(new java.security.cert.X509Certificate[] {bad}, "UNKNOWN"));
        assertTrue(e.toString().contains("revoked"), e.toString());
    }

    @Test
    void aClientThatShallVerifyNeedsAnAuthority() {
        IOException e = assertThrows(IOException.class, () -> security().clientTls(Map.of(), SslMode.VERIFY_FULL));
        assertTrue(e.getMessage().startsWith("sslmode verify-full needs sslrootcert"), e.getMessage());
    }

    @Test
    void oneAddressCannotTakeAllPlaces() throws Exception {
        Startups startups = new Startups(3, 2);
        InetAddress other = InetAddress.getByName("10.0.0.2");
        Runnable first = startups.enter(LOOPBACK);
        startups.enter(LOOPBACK);
        assertThrows(AccessException.class, () -> startups.enter(LOOPBACK));
        startups.enter(other);
        assertThrows(AccessException.class, () -> startups.enter(other));
        first.run();
        first.run();
        startups.enter(other);
        assertThrows(AccessException.class, () -> startups.enter(LOOPBACK));
    }
}
