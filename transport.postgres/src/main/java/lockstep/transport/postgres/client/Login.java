package lockstep.transport.postgres.client;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.cert.X509Certificate;
import java.util.HexFormat;
import java.util.Optional;
import lockstep.security.AccessException;
import lockstep.security.ScramClient;
import lockstep.transport.postgres.client.Conninfo.ChannelBinding;
import lockstep.transport.postgres.protocol.BackendMessage.Authentication;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationCleartextPassword;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationMd5Password;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationOk;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationSasl;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationSaslContinue;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationSaslFinal;
import lockstep.transport.postgres.protocol.FrontendMessage.AuthenticationResponse;

/**
 * Answers what a server asks before it lets a client in. The server chooses the question; the client decides what it gives away:
 *
 * <pre>
 *   the server asks for       and the client answers
 *   SCRAM                     with a proof, bound to the connection of TLS if both can; the server has to prove itself as well
 *   the MD5 hash              with that
 *   the password in clear     only over TLS
 *   nothing                   by going on, unless channel_binding = require
 * </pre>
 */
final class Login {
    /** Where a password comes from when it is needed. */
    interface Passwords {
        /** Returns it; null if there is none. */
        char[] get() throws IOException;
    }

    private static final String BOUND = "SCRAM-SHA-256-PLUS";

    private final String user;
    private final Passwords passwords;
    private final ChannelBinding binding;
    private final X509Certificate certificate;
    private ScramClient scram;
    private boolean proved;

    /** @param certificate the server's, as it showed it on this connection; null without TLS */
    Login(String user, Passwords passwords, ChannelBinding binding, X509Certificate certificate) {
        this.user = user;
        this.passwords = passwords;
        this.binding = binding;
        this.certificate = certificate;
    }

    /** Returns the answer to a question, if it has one. */
    Optional<AuthenticationResponse> answer(Authentication question) throws IOException {
        if (question instanceof AuthenticationOk) {
            checkProved();
            return Optional.empty();
        } else if (question instanceof AuthenticationSasl sasl) {
            return Optional.of(begin(sasl));
        } else if (question instanceof AuthenticationSaslContinue challenge && scram != null) {
            return Optional.of(AuthenticationResponse.sasl(scram.last(challenge.data())));
        } else if (question instanceof AuthenticationSaslFinal last && scram != null) {
            scram.check(last.data());
            proved = true;
            return Optional.empty();
        } else if (question instanceof AuthenticationMd5Password md5 && binding != ChannelBinding.REQUIRE) {
            return Optional.of(AuthenticationResponse.password(md5(md5.salt())));
        } else if (question instanceof AuthenticationCleartextPassword && binding != ChannelBinding.REQUIRE) {
            if (certificate == null) {
                throw new AccessException("the server asks for the password in clear, which is told over TLS only: have"
                        + " its pg_hba.conf say scram-sha-256, or set sslmode=verify-full");
            }
            return Optional.of(AuthenticationResponse.password(new String(password())));
        }
        throw new AccessException("the server asks for a login that is not done here"
                + (binding == ChannelBinding.REQUIRE ? " with channel_binding=require" : "")
                + ", " + question.getClass().getSimpleName() + ": expected scram-sha-256, md5, password or cert");
    }

    private AuthenticationResponse begin(AuthenticationSasl offer) throws IOException {
        boolean bound = certificate != null
                && binding != ChannelBinding.DISABLE
                && offer.mechanisms().contains(BOUND);
        if (binding == ChannelBinding.REQUIRE && !bound) {
            throw new AccessException("channel_binding=require, but "
                    + (certificate == null ? "the connection has no TLS" : "the server does not offer " + BOUND));
        }
        scram = new ScramClient(
                offer.mechanisms(), user, password(), binding == ChannelBinding.DISABLE ? null : certificate);
        if (binding == ChannelBinding.REQUIRE && !scram.mechanism().equals(BOUND)) {
            throw new AccessException("channel_binding=require, but a certificate signed with "
                    + certificate.getSigAlgName() + " has no hash to bind to: expected one signed with RSA or ECDSA");
        }
        return AuthenticationResponse.saslInitial(scram.mechanism(), scram.first());
    }

    private void checkProved() throws AccessException {
        if (scram != null && !proved) {
            throw new AccessException("the server has not proved that it knows the password: it may be another");
        }
        if (scram == null && binding == ChannelBinding.REQUIRE) {
            throw new AccessException("channel_binding=require, but the server asked for no password by SCRAM");
        }
    }

    private String md5(int salt) throws IOException {
        try {
            MessageDigest digest = MessageDigest.getInstance("MD5");
            digest.update(new String(password()).getBytes(StandardCharsets.UTF_8));
            digest.update(user.getBytes(StandardCharsets.UTF_8));
            String hash = HexFormat.of().formatHex(digest.digest());
            digest.update(hash.getBytes(StandardCharsets.US_ASCII));
            for (int shift = Integer.SIZE - Byte.SIZE; shift >= 0; shift -= Byte.SIZE) {
                digest.update((byte) (salt >>> shift));
            }
            return "md5" + HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AccessException("the server asks for an MD5 hash, which this Java machine refuses to make", e);
        }
    }

    private char[] password() throws IOException {
        char[] found = passwords.get();
        if (found == null) {
            throw new AccessException("the server asks user " + user
                    + " for a password, and there is none: put it into ~/.pgpass or PGPASSWORD");
        }
        return found;
    }
}
