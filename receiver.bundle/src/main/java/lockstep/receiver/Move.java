package lockstep.receiver;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Message.MoveRequest;

/**
 * The wish that {@link Upstream} be elsewhere, until it is met or given up: at which endpoints, of which each is tried in turn.
 * One for another transport is given up when none of them can be used; one for an endpoint that {@code primary_conninfo} prefers may
 * last until one can.
 *
 * <p><b>Threads.</b> Targets are tried on the worker {@code wal-receiver}; it is settled, and told what has failed, on any.
 */
final class Move {
    private final List<Endpoint> targets;
    private final boolean lasting;
    private final CompletableFuture<Endpoint> done = new CompletableFuture<>();
    private int next;
    private long dueNanos;
    private volatile String problem = "";

    private Move(List<Endpoint> targets, boolean lasting) {
        this.targets = targets;
        this.lasting = lasting;
    }

    /**
     * Wishes to be at the first endpoint of a transport that can be used.
     *
     * @param scheme of that transport, or {@link MoveRequest#ANY_OTHER}
     * @param present where it is now
     * @throws IllegalStateException if there is none; says what to do
     */
    static Move toTransport(String scheme, List<Endpoint> endpoints, Optional<Endpoint> present) {
        boolean anyOther = scheme.equals(MoveRequest.ANY_OTHER);
        List<Endpoint> targets = endpoints.stream()
                .filter(endpoint -> anyOther
                        ? present.isEmpty()
                                || !endpoint.scheme().equals(present.get().scheme())
                        : endpoint.scheme().equals(scheme))
                .toList();
        if (targets.isEmpty()) {
            throw new IllegalStateException("its primary_conninfo names no endpoint "
                    + (anyOther ? "of another transport" : scheme + "://…") + ", only "
                    + endpoints.stream().map(Endpoint::toString).collect(Collectors.joining(", "))
                    + ". Add one there: \"set primary_conninfo\" on the standby");
        }
        return new Move(targets, false);
    }

    /** Wishes to be at an endpoint that is better than the present one; until that can be, if the present one is none of them. */
    static Optional<Move> toBetter(List<Endpoint> endpoints, Endpoint present) {
        int place = endpoints.indexOf(present);
        List<Endpoint> better = place < 0 ? endpoints : endpoints.subList(0, place);
        return better.isEmpty() ? Optional.empty() : Optional.of(new Move(better, place < 0));
    }

    /** Returns where to try to be now; empty when all targets have been tried. */
    Optional<Endpoint> nextTarget() {
        return next < targets.size() ? Optional.of(targets.get(next++)) : Optional.empty();
    }

    /** Has all targets be tried once more. */
    void tryAgainAt(long nanos) {
        next = 0;
        dueNanos = nanos;
    }

    /** Returns how long to wait before the next try; not positive if that is due. */
    long leftNanos(long nowNanos) {
        return dueNanos == 0 ? 0 : dueNanos - nowNanos;
    }

    boolean isLasting() {
        return lasting;
    }

    void failed(String why) {
        problem = why;
    }

    /** Returns why the last target could not be used. */
    String problem() {
        return problem;
    }

    void met(Endpoint there) {
        done.complete(there);
    }

    void giveUp(String why) {
        done.completeExceptionally(new IllegalStateException(why));
    }

    boolean isSettled() {
        return done.isDone();
    }

    /** Completes when it is settled; whoever completes it gives the move up. */
    CompletableFuture<Endpoint> done() {
        return done;
    }
}
