package lockstep.security;

import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.InvalidKeyException;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.CertStore;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CRL;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.stream.Collectors;
import javax.naming.InvalidNameException;
import javax.naming.ldap.LdapName;
import javax.naming.ldap.Rdn;
import javax.net.ssl.CertPathTrustManagerParameters;
import javax.net.ssl.TrustManagerFactory;

/**
 * What one side of TLS has: its own certificate, and whom it trusts. Immutable; whoever makes a context of it can keep that
 * as long as it is given the same object.
 */
public final class TlsMaterial {
    private final PrivateKey key;
    private final List<X509Certificate> chain;
    private final List<X509Certificate> authorities;
    private final List<X509CRL> revocations;

    private TlsMaterial(
            PrivateKey key, List<X509Certificate> chain, List<X509Certificate> authorities, List<X509CRL> revocations) {
        this.key = key;
        this.chain = chain;
        this.authorities = authorities;
        this.revocations = revocations;
    }

    /**
     * Reads files, and checks that they belong together.
     *
     * @param certificateFile the certificate and those between it and its authority; null for none
     * @param keyFile its private key; null for none
     * @param authorityFile the authorities that are trusted; null for none
     * @param revocationFile what these have revoked; null for nothing
     */
    static TlsMaterial read(Path certificateFile, Path keyFile, Path authorityFile, Path revocationFile)
            throws IOException {
        try {
            List<X509Certificate> chain = certificateFile == null ? List.of() : Pem.certificates(certificateFile);
            PrivateKey key = keyFile == null ? null : Pem.privateKey(keyFile);
            if (key != null && !chain.isEmpty() && !belong(key, chain.get(0))) {
                throw new IOException(
                        "the private key in " + keyFile + " is not that of the certificate in " + certificateFile);
            }
            return new TlsMaterial(
                    key,
                    chain,
                    authorityFile == null ? List.of() : Pem.certificates(authorityFile),
                    revocationFile == null ? List.of() : Pem.revocations(revocationFile));
        } catch (java.nio.file.NoSuchFileException e) {
            throw new IOException("there is no file " + e.getFile(), e);
        }
    }

    private static boolean belong(PrivateKey key, X509Certificate certificate) throws IOException {
        String algorithm = switch (key.getAlgorithm()) {
            case "RSA" -> "SHA256withRSA";
            case "EC" -> "SHA256withECDSA";
            default -> "EdDSA";
        };
        byte[] something = certificate.getSerialNumber().toByteArray();
        try {
            Signature signature = Signature.getInstance(algorithm);
            signature.initSign(key);
            signature.update(something);
            byte[] signed = signature.sign();
            signature.initVerify(certificate.getPublicKey());
            signature.update(something);
            return signature.verify(signed);
        } catch (InvalidKeyException e) {
            return false; // of another kind
        } catch (GeneralSecurityException e) {
            throw new IOException("cannot use the private key: " + e.getMessage(), e);
        }
    }

    /** Returns the private key; null if there is none. */
    public PrivateKey key() {
        return key;
    }

    /** Returns the certificate and those between it and its authority; empty if there is none. */
    public X509Certificate[] chain() {
        return chain.toArray(X509Certificate[]::new);
    }

    /** Returns whether there is an authority to check the other side's certificate with. */
    public boolean hasAuthorities() {
        return !authorities.isEmpty();
    }

    /** Returns what checks the other side's certificate: that it is valid, signed by an authority and not revoked. */
    public TrustManagerFactory trust() throws IOException {
        try {
            PKIXBuilderParameters parameters = new PKIXBuilderParameters(
                    authorities.stream()
                            .map(authority -> new TrustAnchor(authority, null))
                            .collect(Collectors.toSet()),
                    new X509CertSelector());
            parameters.setRevocationEnabled(!revocations.isEmpty());
            parameters.addCertStore(
                    CertStore.getInstance("Collection", new CollectionCertStoreParameters(revocations)));
            TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
            factory.init(new CertPathTrustManagerParameters(parameters));
            return factory;
        } catch (GeneralSecurityException e) {
            throw new IOException("cannot check certificates: " + e.getMessage(), e);
        }
    }

    /** Returns the common name of whom a certificate is for; empty if it has none. */
    public static String commonName(X509Certificate certificate) {
        try {
            for (Rdn part : new LdapName(certificate.getSubjectX500Principal().getName()).getRdns()) {
                if (part.getType().equalsIgnoreCase("CN")) {
                    return part.getValue().toString();
                }
            }
        } catch (InvalidNameException e) {
            // It has no name that can be read.
        }
        return "";
    }

    @Override
    public String toString() {
        return chain.isEmpty()
                ? "no certificate"
                : "the certificate of " + chain.get(0).getSubjectX500Principal() + ", serial "
                        + chain.get(0).getSerialNumber().toString(16) + ", valid until "
                        + chain.get(0).getNotAfter().toInstant();
    }
}
