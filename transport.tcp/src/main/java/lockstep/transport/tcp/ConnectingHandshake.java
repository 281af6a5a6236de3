package lockstep.transport.tcp;

import io.netty.util.NetUtil;
import java.io.IOException;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import lockstep.security.AccessException;
import lockstep.security.ScramClient;
import lockstep.security.Security;
import lockstep.transport.api.Peer;
import lockstep.transport.netty.Tls;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The side that wants to be let in. */
final class ConnectingHandshake implements Handshake {
    private static final Logger log = LoggerFactory.getLogger(ConnectingHandshake.class);

    private final Security security;
    private final TcpEndpoint to;
    private final String name;
    private final boolean verified;
    private ScramClient scram;
    private Optional<Compression> compression = Optional.empty();
    private Word.Kind expected = Word.Kind.WELCOME;

    /**
     * @param name what this side is called
     * @param verified whether TLS makes sure that the server is the one that was asked for
     */
    ConnectingHandshake(Security security, TcpEndpoint to, String name, boolean verified) {
        this.security = security;
        this.to = to;
        this.name = name;
        this.verified = verified;
    }

    @Override
    public void begin(Consumer<Word> say) {
        Word hello = new Word(Word.Kind.HELLO).with("name", name);
        to.compression().ifPresent(wanted -> hello.with(Word.COMPRESSION, wanted.word));
        say.accept(hello);
    }

    @Override
    public boolean hear(Word word, Link link, Consumer<Word> say) throws AccessException {
        switch (word.kind()) {
            case REFUSED -> throw new AccessException("the server refuses: " + word.value("reason"));
            case AUTHENTICATE -> {
                check(word, scram == null);
                say.accept(response(word, link.tls()));
                expected = Word.Kind.CHALLENGE;
            }
            case CHALLENGE -> {
                check(word, expected == Word.Kind.CHALLENGE);
                say.accept(new Word(Word.Kind.PROOF).with("data", scram.last(word.value("data"))));
                expected = Word.Kind.WELCOME;
            }
            case WELCOME -> {
                check(word, expected == Word.Kind.WELCOME);
                if (scram != null) {
                    scram.check(word.value("data"));
                }
                compression = agreed(word.value(Word.COMPRESSION), link);
                return true;
            }
            default -> check(word, false);
        }
        return false;
    }

    private Optional<Compression> agreed(String said, Link link) throws AccessException {
        Optional<Compression> wanted = to.compression();
        if (said.isEmpty()) {
            wanted.ifPresent(one -> log.warn(
                    "{} does not compress with {}: what it sends comes as it is",
                    NetUtil.toSocketAddressString(link.remote()),
                    one.word));
            return Optional.empty();
        } else if (!wanted.equals(Compression.of(said))) {
            throw new AccessException("the server compresses with \"" + said + "\", which it was not asked for");
        }
        return wanted;
    }

    private static void check(Word word, boolean inPlace) throws AccessException {
        if (!inPlace) {
            throw new AccessException("the server said " + word.kind() + " out of place");
        }
    }

    private Word response(Word word, Tls tls) throws AccessException {
        String user = to.user().isEmpty() ? name : to.user();
        X509Certificate servers = tls == null ? null : tls.peers();
        char[] password = password(user);
        scram = new ScramClient(List.of(word.value("mechanisms").split(",", -1)), user, password, servers);
        return new Word(Word.Kind.RESPONSE).with("mechanism", scram.mechanism()).with("data", scram.first());
    }

    private char[] password(String user) throws AccessException {
        char[] password;
        try {
            password = security.password(to.address().name(), to.address().port(), user);
        } catch (IOException e) {
            throw new AccessException(e.getMessage(), e);
        }
        if (password == null) {
            throw new AccessException(
                    "the server asks for the password of \"" + user + "\", and there is none here: put "
                            + to.address().name() + ":" + to.address().port() + ":replication:" + user
                            + ":PASSWORD into passfile, or set PGPASSWORD");
        }
        return password;
    }

    @Override
    public Peer peer(Link link) {
        Map<String, String> facts = Tls.facts(link.tls());
        compression.ifPresent(agreed -> facts.put(Peer.COMPRESSION, agreed.word));
        String identity = verified && link.tls() != null ? link.tls().peersName() : "";
        return new Peer(NetUtil.toSocketAddressString(link.remote()), identity, false, Optional.empty(), facts);
    }

    @Override
    public Optional<Compression> compression() {
        return compression;
    }
}
