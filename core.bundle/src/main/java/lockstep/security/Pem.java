package lockstep.security;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CRLException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads files of the form that OpenSSL writes. */
final class Pem {
    private static final Pattern KEY =
            Pattern.compile("-----BEGIN ([A-Z ]*)PRIVATE KEY-----([^-]*)-----END [A-Z ]*PRIVATE KEY-----");
    private static final List<String> ALGORITHMS = List.of("RSA", "EC", "EdDSA");

    private Pem() {}

    /** Reads the certificates of a file, of which there must be one at least, in their order. */
    static List<X509Certificate> certificates(Path file) throws IOException {
        try {
            List<X509Certificate> certificates =
                    CertificateFactory.getInstance("X.509").generateCertificates(in(file)).stream()
                            .map(X509Certificate.class::cast)
                            .toList();
            if (certificates.isEmpty()) {
                throw new IOException(file + " holds no certificate");
            }
            return certificates;
        } catch (CertificateException e) {
            throw new IOException(file + " holds no certificate in PEM form: " + e.getMessage(), e);
        }
    }

    /** Reads the lists of certificates that an authority has revoked. */
    static List<X509CRL> revocations(Path file) throws IOException {
        try {
            return CertificateFactory.getInstance("X.509").generateCRLs(in(file)).stream()
                    .map(X509CRL.class::cast)
                    .toList();
        } catch (CertificateException | CRLException e) {
            throw new IOException(file + " holds no list of revoked certificates in PEM form: " + e.getMessage(), e);
        }
    }

    private static ByteArrayInputStream in(Path file) throws IOException {
        return new ByteArrayInputStream(Files.readAllBytes(file));
    }

    /** Reads an unencrypted key, which only its owner may be able to read. No part of it is in any message. */
    static PrivateKey privateKey(Path file) throws IOException {
        PasswordFile.checkPrivate(file);
        Matcher matcher = KEY.matcher(Files.readString(file, StandardCharsets.ISO_8859_1));
        if (!matcher.find()) {
            throw new IOException(file + " holds no private key in PEM form");
        } else if (!matcher.group(1).isEmpty()) {
            throw new IOException(file + " holds a private key of the form \""
                    + matcher.group(1).strip()
                    + "\": expected PKCS#8 without a passphrase; run: openssl pkcs8 -topk8 -nodes -in " + file
                    + " -out NEW_FILE");
        }
        byte[] der;
        try {
            der = Base64.getMimeDecoder().decode(matcher.group(2));
        } catch (IllegalArgumentException e) {
            throw new IOException(file + " holds a damaged private key");
        }
        for (String algorithm : ALGORITHMS) {
            try {
                return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der));
            } catch (GeneralSecurityException e) {
                // Then it is of another.
            }
        }
        throw new IOException(file + " holds a private key that is none of " + ALGORITHMS + ", or a damaged one");
    }
}
