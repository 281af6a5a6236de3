package lockstep.send;

import java.util.Optional;
import lockstep.commit.StandbyProgress;
import lockstep.transport.api.Message.SwitchoverAnswer;
import lockstep.transport.api.Message.TookOver;

/** A session with a standby, as one sees it who wants to hand over to that standby. Thread-safe. */
public interface Successor extends StandbyProgress {
    /** Returns what the session is doing. */
    SenderState state();

    /** Returns where the standby is, for people. */
    String address();

    /** Returns whether the standby speaks Lockstep's protocol; one that speaks PostgreSQL's cannot be asked. */
    boolean canBeAsked();

    /** Returns up to where WAL has been sent. */
    long sentLsn();

    /** Asks whether it can take this server's place; what it answered before is forgotten. */
    void ask(String primaryName);

    /** Tells it to take this server's place; what it answered before is forgotten. */
    void handOver(long endLsn);

    /** Returns what it has answered to either. */
    Optional<SwitchoverAnswer> answer();

    /** Returns that it has taken this server's place, once it says so. */
    Optional<TookOver> tookOver();
}
