package lockstep.primary;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import lockstep.commit.DegradedMode;
import lockstep.commit.LogCommits;
import lockstep.commit.NotPrimaryException;
import lockstep.config.ServerRole;
import lockstep.io.Clock;
import lockstep.io.Panic;
import lockstep.io.Step;
import lockstep.io.Worker;
import lockstep.io.Workers;
import lockstep.recovery.Checkpointer;
import lockstep.recovery.ControlFile;
import lockstep.recovery.ControlStore;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.SenderState;
import lockstep.send.StandbyNode;
import lockstep.send.Successor;
import lockstep.send.WalSenders;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.Refusal;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.api.Message.ReplicationStarted;
import lockstep.transport.api.Message.StartReplication;
import lockstep.transport.api.Message.SwitchoverAnswer;
import lockstep.transport.api.Message.TookOver;
import lockstep.transport.api.Term;
import lockstep.transport.api.TransportException;
import lockstep.wal.TimelineHistory;
import lockstep.wal.Wal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Exchanges the roles of this primary and one of its standbys.
 *
 * <p><b>Idea.</b> A log that stands still is the same on both sides, and then it does not matter who goes on with it. So commits are
 * held <i>before</i> they are inserted, the log is ended as an orderly stop ends it, and when the standby has flushed and applied
 * all of it, the standby is promoted as by an operator. What is decided is decided by one write on one disk, that of the standby's
 * control file; all the rest is about this server knowing of it.
 *
 * <pre>
 *   phase       what happens                                                       if something fails
 *   CHECKING    the standby is asked, its endpoint is tried, a checkpoint makes    refused; nothing has changed
 *               the last one small
 *   HOLDING     who comes to commit waits; what is queued is released; a           commits go on here
 *               shutdown checkpoint; the standby flushes and applies all of it;
 *               then recovery.conf and the fence are written here
 *   HANDED_OVER the standby has been told: this server takes no commits, nor       commits go on here if the standby
 *               does it know whether there is another that does                    declines, or returns as a standby
 *   FOLLOWING   the standby has said so, or others have: those who wait are told   (another is the primary)
 *               where the primary is, and this server becomes its standby
 * </pre>
 *
 * <p><b>Never two primaries.</b> Between the word to take over and the answer a link may break or either server may die. Nobody can
 * tell then from here what has become of the standby; so nothing is committed here until it is known:
 * <ul>
 *   <li>it says that it has taken over, or declines;
 *   <li>it asks for WAL again without knowing of a newer timeline: it has not taken over, and will not, since a standby that was told
 *       to opens no other session before it has decided not to ({@link Message.TakeOver}), and one that was killed has forgotten
 *       it;
 *   <li>its endpoint answers with a newer timeline, or anybody knows of one: it has.
 * </ul>
 * Each of them ends the doubt by itself, however long it took. Should this server end meanwhile, its {@code recovery.conf} makes it
 * a standby, and the fence keeps it from anything else; if the other is lost for good, this one is promoted, to a timeline of a
 * number that the other cannot have taken.
 *
 * <p><b>What becomes of commits.</b> They are held by the log itself ({@link Wal#holdInserting}), under the lock by which places are
 * taken, so none is half in. Failing them would make every client handle what is only a pause; taking them and passing them on to
 * the other server would need a second protocol for what a client can do better, who alone knows whether it may commit again what
 * it has read here. So a commit that can still be made here is, after a pause; one that cannot is told where, and nothing of it was
 * inserted ({@link NotPrimaryException}): to do it again there can never do it twice.
 *
 * <p><b>Threads.</b> All happens on the worker {@code switchover}, once. Others look at {@link #phase}, and tell it of timelines.
 */
final class Switchover implements Step {
    /** What is done. */
    enum Phase {
        CHECKING,
        HOLDING,
        HANDED_OVER,
        FOLLOWING,
        GIVEN_UP
    }

    private static final long LOOK_NANOS = TimeUnit.MICROSECONDS.toNanos(200);
    private static final long ANSWER_NANOS = TimeUnit.SECONDS.toNanos(2);
    private static final long PROBE_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(500);
    private static final Set<String> ANY_ADDRESS = Set.of("0.0.0.0", "[::]", "[0:0:0:0:0:0:0:0]");
    private static final Logger log = LoggerFactory.getLogger(Switchover.class);

    /** The parts of the primary that take part. */
    record Parts(
            Wal wal,
            LogCommits commits,
            WalSenders senders,
            Checkpointer checkpointer,
            DegradedMode mode,
            ControlStore control,
            ResourceManagers managers,
            ServerRole role,
            Connector connector,
            Workers workers,
            Clock clock,
            Panic panic) {}

    private final SwitchoverPlan plan;
    private final Wal wal;
    private final Parts parts;
    private final CompletableFuture<SwitchedOver> done = new CompletableFuture<>();
    private final long startedNanos;
    private volatile Phase phase = Phase.CHECKING;
    private volatile boolean stopping;
    private volatile int heardTimeline;

    /** A term heard of that has nothing to do with the standby told to take over. */
    private volatile Term rival = Term.NONE;

    private volatile Worker worker;
    private boolean begun;
    private boolean fenced;
    private String endpoints = "";
    private long endLsn;
    private long pausedNanos;

    Switchover(SwitchoverPlan plan, Parts parts) {
        this.plan = plan;
        this.parts = parts;
        wal = parts.wal();
        startedNanos = parts.clock().nanos();
    }

    /** Begins; {@link #done} tells how it ended. */
    void start() {
        worker = parts.workers().start("switchover", this);
        worker.wake();
    }

    CompletionStage<SwitchedOver> done() {
        return done;
    }

    Phase phase() {
        return phase;
    }

    boolean isOver() {
        return phase == Phase.GIVEN_UP;
    }

    /** Returns what clients wait for; empty if they do not wait. */
    String reason() {
        return switch (phase) {
            case HOLDING -> "commits are held while standby \"" + plan.standby() + "\" gets the last WAL (switchover)";
            case HANDED_OVER ->
                done.isCompletedExceptionally() ? doubt() : "\"" + plan.standby() + "\" takes over (switchover)";
            case FOLLOWING -> moved();
            default -> "";
        };
    }

    /** Takes note of a foreign term; returns whether it is expected, because the other server has been told to open a timeline. */
    synchronized boolean heardOf(Term term) {
        if (term.timeline() > wal.config().timeline() && (phase == Phase.HANDED_OVER || phase == Phase.FOLLOWING)) {
            heardTimeline = Math.max(heardTimeline, term.timeline());
            return true;
        }
        rival = term;
        return false;
    }

    /**
     * Ends it, because the server stops. When this returns, either all goes on as if there had been none, or the log has ended.
     *
     * @return whether the log has ended
     */
    boolean stop() {
        stopping = true;
        worker.close();
        if (phase == Phase.HANDED_OVER) {
            done.completeExceptionally(new IllegalStateException(doubt()));
            wal.endInserting(() -> new NotPrimaryException(doubt() + ". This server stops", shownEndpoints()));
        }
        return phase == Phase.HANDED_OVER || phase == Phase.FOLLOWING;
    }

    @Override
    public long run() {
        if (begun) {
            return UNTIL_WOKEN;
        }
        begun = true;
        try {
            exchange();
        } catch (IOException | RuntimeException e) {
            phase = Phase.GIVEN_UP;
            String why = e.getMessage() == null ? e.toString() : e.getMessage();
            log.warn("no switchover to \"{}\": {}", plan.standby(), why);
            done.completeExceptionally(new IllegalStateException("no switchover: " + why, e));
        }
        return UNTIL_WOKEN;
    }

    private void exchange() throws IOException {
        Successor standby = check();
        log.info("switchover to \"{}\" at {} begins", plan.standby(), shownEndpoints());
        parts.checkpointer().checkpoint();
        checkLag(standby);
        boolean handedOver = false;
        parts.mode().suspend();
        parts.checkpointer().suspend();
        phase = Phase.HOLDING;
        wal.holdInserting();
        try {
            endLog();
            awaitAll(standby);
            prepareToFollow();
            handedOver = true;
        } finally {
            if (!handedOver) {
                goOn();
            }
        }
        standby.handOver(endLsn);
        Optional<TookOver> answer = awaitDecision(standby);
        if (answer.isPresent()) {
            follow(answer.get());
        }
    }

    // Before anything is changed.

    private Successor check() {
        if (parts.mode().state().isDegraded()) {
            throw refused(
                    "this server is in degraded mode, and the standby may lack acknowledged commits. Wait until \"status\""
                            + " says that it has ended");
        }
        List<String> away = parts.managers().missing();
        if (!away.isEmpty()) {
            throw refused("resource managers are away, without which no last checkpoint can be taken: " + away
                    + ". Start their bundles");
        }
        Successor standby = parts.senders().find(plan.standby()).orElseThrow(this::unknown);
        if (!standby.canBeAsked()) {
            throw refused("\"" + plan.standby()
                    + "\" speaks PostgreSQL's protocol, which knows no switchover. Stop this server and"
                    + " promote it by its own means");
        }
        if (standby.state() != SenderState.STREAMING || !standby.obstacle().isEmpty()) {
            throw refused("\"" + plan.standby() + "\" is not streaming, but in state " + standby.state()
                    + (standby.obstacle().isEmpty() ? "" : ", and says " + standby.obstacle())
                    + ". Wait until \"standbys\" shows it streaming");
        }
        checkLag(standby);
        SwitchoverAnswer answer = ask(standby);
        if (!answer.obstacle().isEmpty()) {
            throw refused("\"" + plan.standby() + "\" cannot take over: " + answer.obstacle());
        }
        endpoints = reachable(standby, plan.endpoints().isEmpty() ? answer.endpoints() : plan.endpoints());
        return standby;
    }

    private IllegalStateException unknown() {
        List<StandbyNode> tree = parts.senders().tree();
        if (tree.stream().anyMatch(node -> node.applicationName().equals(plan.standby()))) {
            return refused("\"" + plan.standby()
                    + "\" is a standby of a standby. Switch over to the one that it follows, or have it"
                    + " follow this server first (primary_conninfo)");
        }
        return refused("there is no standby \"" + plan.standby() + "\" here; connected are: "
                + (tree.isEmpty()
                        ? "none"
                        : tree.stream().map(StandbyNode::applicationName).collect(Collectors.joining(", "))));
    }

    private void checkLag(Successor standby) {
        long behind = wal.flushedLsn() - Math.min(standby.flushedLsn(), standby.appliedLsn());
        if (behind > plan.maxLagBytes()) {
            throw refused("\"" + plan.standby() + "\" is " + behind
                    + " bytes behind, and commits would wait for them: at most " + plan.maxLagBytes()
                    + " are allowed. Wait until it has caught up, or give --max-lag");
        }
    }

    private SwitchoverAnswer ask(Successor standby) {
        standby.ask(parts.role().standbyName());
        long patience = Math.min(ANSWER_NANOS, TimeUnit.MILLISECONDS.toNanos(plan.timeoutMs()));
        if (!await(
                        () -> standby.answer().isPresent() || !standby.isStreaming(),
                        parts.clock().nanos() + patience)
                || standby.answer().isEmpty()) {
            throw refused("\"" + plan.standby()
                    + "\" does not answer the question whether it can take over. It is perhaps no server"
                    + " of this version; look at its log");
        }
        return standby.answer().get();
    }

    /** Returns those endpoints at which the standby answers. */
    private String reachable(Successor standby, String told) {
        List<String> good = new ArrayList<>();
        List<String> bad = new ArrayList<>();
        Arrays.stream(told.split("[,\\s]+")).filter(text -> !text.isEmpty()).forEach(text -> {
            try {
                Endpoint endpoint = concrete(Endpoint.parse(text), standby.address());
                Optional<String> trouble = trouble(endpoint);
                trouble.ifPresentOrElse(bad::add, () -> good.add(endpoint.uri().toString()));
            } catch (TransportException | IllegalArgumentException e) {
                bad.add(e.getMessage());
            }
        });
        if (good.isEmpty()) {
            throw refused("this server could not follow \"" + plan.standby() + "\" afterwards: "
                    + (bad.isEmpty() ? "it listens nowhere" : String.join("; ", bad))
                    + ". Say with --endpoint URI how it is reached from here");
        }
        return String.join(",", good);
    }

    /** Puts the address that a standby comes from in place of one that only says that it listens on all it has. */
    private static Endpoint concrete(Endpoint endpoint, String peerAddress) {
        URI uri = endpoint.uri();
        int colon = peerAddress.lastIndexOf(':');
        if (uri.getHost() == null || !ANY_ADDRESS.contains(uri.getHost()) || colon < 0) {
            return endpoint;
        }
        try {
            return new Endpoint(new URI(
                    uri.getScheme(),
                    uri.getUserInfo(),
                    peerAddress.substring(0, colon),
                    uri.getPort(),
                    uri.getPath(),
                    uri.getQuery(),
                    uri.getFragment()));
        } catch (URISyntaxException e) {
            return endpoint;
        }
    }

    /** Returns why a server at an endpoint is none that this one could follow. */
    private Optional<String> trouble(Endpoint endpoint) throws TransportException {
        Optional<Message> answer = probe(endpoint);
        if (answer.isEmpty()) {
            return Optional.of("the server at " + endpoint + " does not answer");
        }
        if (answer.get() instanceof ReplicationStarted started) {
            return started.systemId() == parts.control().get().systemId()
                    ? Optional.empty()
                    : Optional.of("the server at " + endpoint + " belongs to another system");
        }
        if (answer.get() instanceof Refusal refusal) {
            // It has not received yet what was flushed here a moment ago.
            return refusal.code() == RefusalCode.NOT_READY
                    ? Optional.empty()
                    : Optional.of("the server at " + endpoint + " refuses: " + refusal.text());
        }
        return Optional.of("the server at " + endpoint + " speaks another protocol");
    }

    private Optional<Message> probe(Endpoint endpoint) throws TransportException {
        ControlFile file = parts.control().get();
        TimelineHistory history = wal.config().identity().history();
        long lsn = wal.flushedLsn();
        return Probe.ask(
                parts.connector(),
                endpoint,
                new StartReplication(
                        parts.role().standbyName(),
                        "",
                        file.systemId(),
                        history.timelineBefore(lsn),
                        file.epochs().last().number(),
                        lsn,
                        file.term()),
                ANSWER_NANOS,
                parts.workers(),
                parts.clock());
    }

    // While commits are held.

    /** Has all that is queued released, and ends the log. */
    private void endLog() throws IOException {
        long deadline = deadline();
        if (!await(
                () -> parts.commits().settledLsn() == wal.reservedLsn() && wal.filledLsn() == wal.reservedLsn(),
                deadline)) {
            throw refused(
                    "commits that were under way have not been released in time: \"queue explain\" says who is awaited");
        }
        pausedNanos = parts.clock().nanos();
        parts.checkpointer().shutdownCheckpoint();
        endLsn = wal.filledLsn();
        if (parts.control().get().state() != ControlFile.State.SHUT_DOWN) {
            throw refused("the last checkpoint could not be taken: resource managers have left meanwhile");
        }
    }

    private void awaitAll(Successor standby) {
        boolean inTime = await(
                () -> !standby.isStreaming() || (standby.flushedLsn() >= endLsn && standby.appliedLsn() >= endLsn),
                deadline());
        if (!standby.isStreaming()) {
            throw refused("the session with \"" + plan.standby()
                    + "\" has ended. Try again when \"standbys\" shows it streaming");
        }
        if (!inTime) {
            throw refused("\"" + plan.standby() + "\" has flushed up to " + Lsn.text(standby.flushedLsn())
                    + " and applied up to "
                    + Lsn.text(standby.appliedLsn()) + " of the log that ends at " + Lsn.text(endLsn)
                    + ", and not more in time."
                    + " Try again, with a longer --timeout");
        }
    }

    /** From here on a restart makes this server a standby, and it takes no commits before it has been one. */
    private void prepareToFollow() throws IOException {
        int timeline = wal.config().timeline();
        parts.role().prepareToFollow(endpoints);
        fenced = true;
        parts.control().update(file -> file.fenced(new Term(timeline + 1, 0)));
        handOver();
    }

    private synchronized void handOver() {
        checkAlone();
        phase = Phase.HANDED_OVER;
    }

    private void checkAlone() {
        if (!rival.equals(Term.NONE)) {
            throw refused("this server has been fenced meanwhile, by term " + rival + ": \"status\" says what to do");
        }
    }

    /** Commits go on, as if nothing had been; those that a fence has come for meanwhile are refused. */
    private void goOn() throws IOException {
        try {
            parts.role().stayPrimary();
            if (parts.control().get().state() == ControlFile.State.SHUT_DOWN) {
                parts.control()
                        .update(file -> (fenced ? file.fenced(rival) : file).with(ControlFile.State.IN_PRODUCTION));
            }
        } catch (IOException e) {
            parts.panic()
                    .panic(
                            "a switchover cannot be taken back: " + e.getMessage()
                                    + ". The server stops; check the disk, remove recovery.conf, and start it",
                            e);
            throw e;
        }
        parts.checkpointer().resume();
        wal.resumeInserting();
        parts.mode().resume();
        phase = Phase.GIVEN_UP;
        log.info(
                "commits go on here after {} ms",
                TimeUnit.NANOSECONDS.toMillis(parts.clock().nanos() - startedNanos));
    }

    // After the standby has been told.

    /** Returns that it has taken over; empty if the server stops, which leaves the question open. */
    private Optional<TookOver> awaitDecision(Successor told) throws IOException {
        long probedNanos = parts.clock().nanos();
        while (!stopping) {
            Optional<TookOver> answer = decision(told);
            if (answer.isPresent()) {
                return answer;
            }
            long now = parts.clock().nanos();
            boolean late = now - deadline() >= 0;
            if (late && !done.isDone()) {
                log.error("{}", doubt());
                done.completeExceptionally(new IllegalStateException(doubt()));
            }
            if ((late || told.state() == SenderState.STOPPING) && now - probedNanos >= PROBE_PAUSE_NANOS) {
                probeForTimeline();
                probedNanos = parts.clock().nanos();
            }
            parts.workers().pause(LOOK_NANOS);
        }
        return Optional.empty();
    }

    private Optional<TookOver> decision(Successor told) throws IOException {
        if (told.tookOver().isPresent()) {
            return told.tookOver();
        }
        if (heardTimeline > wal.config().timeline()) {
            return Optional.of(new TookOver(heardTimeline, endLsn));
        }
        Optional<SwitchoverAnswer> declined = told.answer();
        if (declined.isPresent()) {
            goOn();
            throw refused("\"" + plan.standby() + "\" does not take over: "
                    + declined.get().obstacle());
        }
        Optional<Successor> back = parts.senders()
                .find(plan.standby())
                .filter(session -> session != told)
                .filter(session -> session.state() == SenderState.CATCHUP || session.state() == SenderState.STREAMING);
        if (back.isPresent()) {
            goOn();
            throw refused("\"" + plan.standby()
                    + "\" was told to take over, and has come back as a standby instead: its log says why");
        }
        return Optional.empty();
    }

    private void probeForTimeline() {
        for (String endpoint : endpoints.split(",", -1)) {
            try {
                probe(Endpoint.parse(endpoint))
                        .filter(ReplicationStarted.class::isInstance)
                        .map(ReplicationStarted.class::cast)
                        .filter(started ->
                                started.systemId() == parts.control().get().systemId())
                        .ifPresent(started -> heardTimeline = Math.max(heardTimeline, started.timeline()));
            } catch (TransportException e) {
                log.debug("the server that was told to take over cannot be asked: {}", e.getMessage());
            }
        }
    }

    private String doubt() {
        return "\"" + plan.standby()
                + "\" has been told to take over, and does not say whether it has: commits wait here until that is"
                + " known. It is as soon as that server can be reached at " + shownEndpoints()
                + " or comes back as a standby: start it, or repair the link. If it is lost for good, stop this server, start it"
                + " as a standby (it has a recovery.conf) and promote it";
    }

    private void follow(TookOver answer) {
        phase = Phase.FOLLOWING;
        wal.endInserting(() -> new NotPrimaryException(moved(), shownEndpoints()));
        log.info(
                "\"{}\" is the primary on timeline {} from {} on; this server becomes its standby",
                plan.standby(),
                answer.timeline(),
                Lsn.text(answer.startLsn()));
        done.complete(
                new SwitchedOver(plan.standby(), shownEndpoints(), answer.timeline(), answer.startLsn(), pausedNanos));
        parts.role().follow();
    }

    /** Returns the endpoints as they may be told to anybody: without passwords. */
    private String shownEndpoints() {
        return Endpoint.withoutSecrets(endpoints);
    }

    private String moved() {
        return "this server is not the primary any more: \"" + plan.standby() + "\" is, at " + shownEndpoints()
                + ". Nothing of this commit was written; commit it there";
    }

    private long deadline() {
        return startedNanos + TimeUnit.MILLISECONDS.toNanos(plan.timeoutMs());
    }

    /** Returns whether a condition has come true in time. */
    private boolean await(BooleanSupplier condition, long deadline) {
        while (!condition.getAsBoolean()) {
            if (stopping) {
                throw refused("the server is stopping");
            }
            checkAlone();
            if (parts.clock().nanos() - deadline >= 0) {
                return false;
            }
            parts.workers().pause(LOOK_NANOS);
        }
        return true;
    }

    private static IllegalStateException refused(String why) {
        return new IllegalStateException(why);
    }
}
