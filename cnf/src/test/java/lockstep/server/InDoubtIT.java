package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commits whose client has given up: invisible until the policy is met, also across {@code kill -9} of the primary. */
final class InDoubtIT {
    private static final Pattern RECEIPT = Pattern.compile("commit status (\\d+/\\d+/(\\S+/\\S+))");

    @TempDir
    private Path folder;

    private Pair pair;
    private ServerProcess primary;
    private ServerProcess standby;

    /** The place of the commit that is in doubt, and its LSN. */
    private String receipt;

    private String lsn;

    @BeforeEach
    void aClientGivesUpWhileTheStandbyIsAwayAndThePrimaryIsKilled() {
        pair = new Pair(folder).start();
        primary = pair.primary();
        standby = pair.standby();
        assertTrue(primary.shell("put", "before", "1").endsWith(" REPLICATED(on)\n"));
        standby.stop();
        Result timedOut = primary.tryShell("put", "doubtful", "1", "--timeout", "100ms");
        assertEquals(1, timedOut.status(), timedOut::toString);
        Matcher told = RECEIPT.matcher(timedOut.err());
        assertTrue(
                told.find() && timedOut.err().contains("is IN DOUBT: the client's wait timed out"), timedOut::toString);
        receipt = told.group(1);
        lsn = told.group(2);
        assertInvisible();
        primary.shell("put", "local", "1", "--commit", "local");
        primary.kill();
        primary.start();
        assertInvisible();
        assertTrue(primary.askLsn("in_doubt_from_lsn", "status") < ServerProcess.lsn(lsn));
        assertTrue(primary.askLsn("in_doubt_to_lsn", "status") >= ServerProcess.lsn(lsn));
        assertEquals("1\n", primary.shell("get", "before"));
        assertEquals("1\n", primary.shell("get", "local"), "what asked for less is visible, as it was");
    }

    private void assertInvisible() {
        Result nothing = primary.tryShell("get", "doubtful");
        assertTrue(nothing.err().contains("there is no key \"doubtful\""), nothing::toString);
        assertEquals("IN DOUBT\n", primary.shell("commit", "status", receipt));
    }

    private boolean isVisible() {
        return primary.tryShell("get", "doubtful").status() == 0;
    }

    private void assertNothingIsInDoubt() {
        assertEquals("COMMITTED\n", primary.shell("commit", "status", receipt));
        assertTrue(!primary.shell("status").contains("in_doubt"));
        primary.kill();
        primary.start();
        assertTrue(isVisible(), "what was visible stays visible");
    }

    @AfterEach
    void end() {
        pair.close();
    }

    @Test
    void itBecomesVisibleWhenTheStandbyReturns() throws Exception {
        primary.kill();
        primary.start();
        assertInvisible();
        standby.start();
        primary.await(this::isVisible);
        standby.await(() -> standby.shell("commit", "status", receipt).equals("COMMITTED\n"));
        assertNothingIsInDoubt();
        pair.awaitStreaming();
        pair.assertSame();
    }

    @Test
    void anOperatorReleasesItByHand() {
        String released = primary.shell("commit", "release", lsn);
        assertEquals("1 commit released up to " + lsn + " (LOCAL_ONLY)\n", released);
        assertTrue(isVisible());
        String operator = System.getProperty("user.name");
        assertTrue(primary.log().contains("operator " + operator + " has released commits up to " + lsn + " by hand"));
        assertEquals(
                operator, primary.ask("operator", "degraded", "log"), "it stands in the log, for those who lack it");
        assertEquals(lsn, primary.ask("to_lsn", "degraded", "log"));
        assertNothingIsInDoubt();
    }
}
