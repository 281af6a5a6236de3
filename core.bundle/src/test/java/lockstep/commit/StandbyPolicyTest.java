package lockstep.commit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import lockstep.commit.StandbyNames.Method;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StandbyPolicyTest {
    private final FakeStandby a = new FakeStandby("a").at(100);
    private final FakeStandby b = new FakeStandby("b").at(300);
    private final FakeStandby c = new FakeStandby("c").at(200);
    private final StandbyProgress[] standbys = {c, b, a};
    private long localLsn = 1000;

    private StandbyPolicy policy(String names) {
        return new StandbyPolicy(() -> localLsn, () -> standbys, StandbyNames.parse(names), 0);
    }

    @ParameterizedTest(name = "{0} releases up to {1}")
    @CsvSource(
            delimiter = '|',
            value = {
                "'' | 1000",
                "* | 200",
                "a | 100",
                "a, b | 100",
                "b, a | 300",
                "x, b | 300",
                "x | 0",
                "FIRST 2 (b, c, a) | 200",
                "FIRST 2 (x, b, a) | 100",
                "FIRST 3 (a, b, c) | 100",
                "FIRST 4 (a, b, c) | 0",
                "ANY 1 (a, b, c) | 300",
                "ANY 2 (a, b, c) | 200",
                "ANY 3 (a, b, c) | 100",
                "ANY 2 (a, c) | 100",
                "ANY 4 (*) | 0",
                "ANY 2 (*) | 200"
            })
    void firstWaitsForTheHighestPrioritiesAndAnyForTheFastest(String names, long released) {
        assertEquals(released, policy(names).releasedLsn(CommitLevel.ON));
    }

    @Test
    void eachLevelAsksForItsOwnPositionAndAllForTheLocalFlush() {
        a.at(900, 800, 700);
        StandbyPolicy policy = policy("a");
        assertEquals(1000, policy.releasedLsn(CommitLevel.OFF));
        assertEquals(1000, policy.releasedLsn(CommitLevel.LOCAL));
        assertEquals(900, policy.releasedLsn(CommitLevel.REMOTE_WRITE));
        assertEquals(800, policy.releasedLsn(CommitLevel.ON));
        assertEquals(700, policy.releasedLsn(CommitLevel.REMOTE_APPLY));
        localLsn = 650;
        for (CommitLevel level : CommitLevel.values()) {
            assertEquals(650, policy.releasedLsn(level));
        }
    }

    @Test
    void whoDoesNotStreamOrCannotAcknowledgeIsReplacedAtOnce() {
        StandbyPolicy policy = policy("a, b, c");
        assertEquals(100, policy.releasedLsn(CommitLevel.ON));
        a.obstacle = "DISK_FULL: no room";
        assertEquals(300, policy.releasedLsn(CommitLevel.ON));
        b.streaming = false;
        assertEquals(200, policy.releasedLsn(CommitLevel.ON));
        c.obstacle = "LEAVING: it is being stopped";
        assertEquals(0, policy.releasedLsn(CommitLevel.ON));
        a.obstacle = "";
        assertEquals(100, policy.releasedLsn(CommitLevel.ON));
    }

    private static String role(StandbyPolicy policy, FakeStandby standby) {
        SyncRole role = policy.role(standby);
        return role.state() + " " + role.priority();
    }

    @Test
    void rolesAreThoseOfPgStatReplication() {
        StandbyPolicy first = policy("FIRST 1 (b, a)");
        assertEquals("sync 1", role(first, b));
        assertEquals("potential 2", role(first, a));
        assertEquals("async 0", role(first, c));
        b.streaming = false;
        assertEquals("potential 1", role(first, b));
        assertEquals("sync 2", role(first, a));

        StandbyPolicy any = policy("ANY 1 (a, b)");
        assertEquals("quorum 1", role(any, a));
        assertEquals("potential 1", role(any, b));
        assertEquals("async 0", role(any, c));

        assertEquals("async 0", role(policy(""), a));
    }

    @Test
    void ofTwoThatTheStarFitsOneIsAsked() {
        StandbyPolicy policy = policy("*");
        assertEquals("sync 1", role(policy, c));
        assertEquals("potential 1", role(policy, b));
        assertEquals(c.flushedLsn, policy.releasedLsn(CommitLevel.ON), "the same one");
    }

    @Test
    void aLowerRuleAsksForLessButNotForFewerCopiesThanItShall() {
        StandbyPolicy policy = policy("FIRST 3 (a, b, c)");
        CommitOutcome usual = policy.outcome(CommitLevel.ON);
        assertEquals(new CommitOutcome.Replicated(CommitLevel.ON), usual);
        assertSame(usual, policy.outcome(CommitLevel.ON));
        policy.lower(policy.names(), 0, Method.FIRST, CommitLevel.REMOTE_APPLY, 1, Long.MAX_VALUE, "because");
        assertEquals(300, policy.releasedLsn(CommitLevel.ON));
        assertEquals(new CommitOutcome.LocalOnly("because"), policy.outcome(CommitLevel.ON));
        assertEquals(new CommitOutcome.Replicated(CommitLevel.LOCAL), policy.outcome(CommitLevel.LOCAL));
        assertEquals(100, policy.usualLsn(CommitLevel.ON));
        policy.require(policy.names());
        assertEquals(100, policy.releasedLsn(CommitLevel.ON));
        assertNotSame(usual, policy.outcome(CommitLevel.ON), "one who looks before and after sees the change");
    }

    @Test
    void aLowerRuleEndsAtItsLimit() {
        StandbyPolicy policy = policy("a");
        policy.lower(policy.names(), 0, Method.FIRST, CommitLevel.REMOTE_APPLY, 0, 500, "because");
        assertEquals(500, policy.releasedLsn(CommitLevel.ON));
        a.at(700);
        assertEquals(700, policy.releasedLsn(CommitLevel.ON));
    }

    @Test
    void degradedToRemoteWriteNoFlushIsAwaited() {
        a.at(900, 100, 100);
        StandbyPolicy policy = policy("a");
        policy.lower(policy.names(), 1, Method.FIRST, CommitLevel.REMOTE_WRITE, 0, Long.MAX_VALUE, "because");
        assertEquals(900, policy.releasedLsn(CommitLevel.ON));
        assertEquals(900, policy.releasedLsn(CommitLevel.REMOTE_APPLY));
        assertEquals(900, policy.keptLsn(CommitLevel.REMOTE_WRITE), "it has what it asks for");
        assertEquals(100, policy.keptLsn(CommitLevel.ON), "it has less");
    }

    @Test
    void aCommitHasWhatItAsksForOnlyIfAllHaveItThatAreUsuallyRequired() {
        StandbyPolicy policy = policy("FIRST 2 (a, b)");
        policy.lower(policy.names(), 0, Method.FIRST, CommitLevel.REMOTE_APPLY, 0, Long.MAX_VALUE, "because");
        assertEquals(100, policy.keptLsn(CommitLevel.ON));
        assertEquals(Long.MAX_VALUE, policy.keptLsn(CommitLevel.LOCAL));
        b.streaming = false;
        assertEquals(0, policy.keptLsn(CommitLevel.ON));
        policy.require(StandbyNames.parse("a"));
        assertEquals(Long.MAX_VALUE, policy.keptLsn(CommitLevel.ON), "what the usual rule releases has it");
    }

    @Test
    void decidingAllocatesNothing() {
        StandbyPolicy[] policies = {policy("FIRST 2 (a, b, c)"), policy("ANY 2 (a, b, c)"), policy("*"), policy("a")};
        policies[3].lower(policies[3].names(), 0, Method.FIRST, CommitLevel.REMOTE_APPLY, 0, Long.MAX_VALUE, "because");
        long found = 0;
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        for (int i = 0; i < 20_000; i++) {
            found += decide(policies);
        }
        long before = threads.getCurrentThreadAllocatedBytes();
        int rounds = 100_000;
        for (int i = 0; i < rounds; i++) {
            found += decide(policies);
        }
        long allocated = threads.getCurrentThreadAllocatedBytes() - before;
        assertTrue(found > 0 && allocated < rounds, allocated + " bytes in " + rounds + " rounds");
    }

    private static long decide(StandbyPolicy[] policies) {
        long found = 0;
        for (StandbyPolicy policy : policies) {
            found += policy.releasedLsn(CommitLevel.ON)
                    + policy.keptLsn(CommitLevel.ON) % 2
                    + policy.outcome(CommitLevel.ON).hashCode() % 2
                    + (policy.refusal(CommitLevel.ON).isPresent() ? 1 : 0);
        }
        return found;
    }
}
