package lockstep.transport.tcp;

import io.netty.util.NetUtil;
import java.io.IOException;
import java.net.InetAddress;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import lockstep.security.AccessException;
import lockstep.security.AccessRule;
import lockstep.security.ScramServer;
import lockstep.security.Security;
import lockstep.transport.api.Peer;
import lockstep.transport.netty.Tls;

/** The side that lets others in, by the rules of {@code access.conf}. What it tells whom it refuses helps to mend that, not to guess. */
final class ListeningHandshake implements Handshake {
    private final Security security;
    private final boolean wantsTls;
    private final Set<Compression> compressions;
    private Word.Kind expected = Word.Kind.HELLO;
    private String name = "";
    private AccessRule rule;
    private ScramServer scram;
    private String identity = "";
    private Optional<Compression> compression = Optional.empty();

    /**
     * @param wantsTls whether nobody is let in without TLS
     * @param compressions what is agreed to, if it is asked for
     */
    ListeningHandshake(Security security, boolean wantsTls, Set<Compression> compressions) {
        this.security = security;
        this.wantsTls = wantsTls;
        this.compressions = compressions;
    }

    @Override
    public void begin(Consumer<Word> say) {
        // The other side speaks first.
    }

    @Override
    public boolean hear(Word word, Link link, Consumer<Word> say) throws AccessException {
        try {
            if (word.kind() != expected) {
                throw new AccessException("expected " + expected + ", found " + word.kind());
            }
            return switch (expected) {
                case HELLO -> hello(word, link, say);
                case RESPONSE -> response(word, link, say);
                default -> proof(word, link, say);
            };
        } catch (AccessException e) {
            say.accept(new Word(Word.Kind.REFUSED).with("reason", said(e)));
            throw e;
        }
    }

    /** Whoever guesses a password is told that it was wrong, and not what about it. */
    private String said(AccessException e) {
        return scram == null ? e.getMessage() : "standby \"" + name + "\" has not proved that it knows the password";
    }

    private boolean hello(Word word, Link link, Consumer<Word> say) throws AccessException {
        if (wantsTls && link.tls() == null) {
            throw new AccessException("this server wants TLS here: connect with sslmode=verify-full and sslrootcert");
        }
        name = word.value("name");
        compression = Compression.of(word.value(Word.COMPRESSION))
                .filter(wanted -> compressions.contains(wanted) && wanted.isAvailable());
        InetAddress address = link.remote().getAddress();
        rule = security.rules().find(TcpAddress.SCHEME, name, address);
        switch (rule.method()) {
            case CERT, PEER -> identity = Tls.certified(link.tls(), rule, name);
            case SCRAM_SHA_256 -> {
                say.accept(new Word(Word.Kind.AUTHENTICATE)
                        .with("mechanisms", String.join(",", ScramServer.mechanisms(own(link.tls())))));
                expected = Word.Kind.RESPONSE;
                return false;
            }
            default -> identity = link.tls() == null ? "" : link.tls().peersName();
        }
        say.accept(welcome());
        return true;
    }

    private Word welcome() {
        Word welcome = new Word(Word.Kind.WELCOME);
        compression.ifPresent(agreed -> welcome.with(Word.COMPRESSION, agreed.word));
        return welcome;
    }

    private static X509Certificate own(Tls tls) {
        return tls == null ? null : tls.own();
    }

    private boolean response(Word word, Link link, Consumer<Word> say) throws AccessException {
        String user = userOf(word.value("data"));
        try {
            // Of one who may not be this standby, no password fits.
            scram = new ScramServer(
                    security.verifier(rule.identityOf(name).equals(user) ? user : ":" + user),
                    own(link.tls()),
                    word.value("mechanism"));
        } catch (AccessException e) {
            throw e;
        } catch (IOException e) {
            throw new AccessException("this server cannot check passwords: " + e.getMessage(), e);
        }
        say.accept(new Word(Word.Kind.CHALLENGE).with("data", scram.first(word.value("data"))));
        identity = user;
        expected = Word.Kind.PROOF;
        return false;
    }

    private static String userOf(String clientFirst) {
        return List.of(clientFirst.split(",", -1)).stream()
                .filter(part -> part.startsWith("n="))
                .map(part -> part.substring(2).replace("=2C", ",").replace("=3D", "="))
                .findFirst()
                .orElse("");
    }

    @Override
    public long delayMs(Link link) {
        return expected == Word.Kind.PROOF
                ? security.wrongPasswords().delayMs(link.remote().getAddress())
                : 0;
    }

    private boolean proof(Word word, Link link, Consumer<Word> say) throws AccessException {
        InetAddress address = link.remote().getAddress();
        String answer;
        try {
            answer = scram.last(word.value("data"));
        } catch (AccessException e) {
            security.wrongPasswords().wrong(address);
            throw e;
        }
        security.wrongPasswords().right(address);
        say.accept(welcome().with("data", answer));
        return true;
    }

    @Override
    public Peer peer(Link link) {
        Map<String, String> facts = Tls.facts(link.tls());
        if (rule != null) {
            facts.put(Peer.AUTHENTICATION, rule.method().toString());
        }
        compression.ifPresent(agreed -> facts.put(Peer.COMPRESSION, agreed.word));
        return new Peer(NetUtil.toSocketAddressString(link.remote()), identity, false, Optional.of(name), facts);
    }

    @Override
    public Optional<Compression> compression() {
        return compression;
    }
}
