package lockstep.server;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * {@code kill -9} at random moments under load, round after round on the same pair: no acknowledged commit is ever missing,
 * and both logs are the same.
 */
final class KillIT {
    private static final int MAX_ACKED_BYTES = 20_000;

    /** Who is killed. */
    enum Victim {
        PRIMARY,
        STANDBY,
        BOTH
    }

    @TempDir
    private static Path folder;

    private static Pair pair;

    @BeforeAll
    static void start() {
        pair = new Pair(folder);
        pair.primary().compiledInFull();
        pair.standby().compiledInFull();
        pair.start();
    }

    @AfterAll
    static void end() {
        pair.close();
    }

    @ParameterizedTest(name = "killing {0}, seed {1}")
    @CsvSource({
        "PRIMARY, 1", "STANDBY, 2", "PRIMARY, 3", "STANDBY, 4", "BOTH, 5",
        "PRIMARY, 6", "STANDBY, 7", "PRIMARY, 8", "STANDBY, 9", "BOTH, 10"
    })
    void noAcknowledgedCommitIsMissingAndBothLogsAreTheSame(Victim victim, long seed) throws IOException {
        Random random = new Random(seed);
        Path acked = folder.resolve("acked-" + seed);
        int ackedBytes = 1 + random.nextInt(MAX_ACKED_BYTES);
        int valueBytes = 10 + random.nextInt(3000);
        CompletableFuture<Result> load = pair.primary()
                .begin(
                        "load",
                        "--clients",
                        "4",
                        "--seconds",
                        "2",
                        "--bytes",
                        Integer.toString(valueBytes),
                        "--commit",
                        "on",
                        "--acked",
                        acked.toString());
        pair.primary().await(() -> size(acked) >= ackedBytes || load.isDone());
        kill(victim);
        load.join();
        pair.assertSame();
        Pair.assertHolds(pair.primary(), acked);
        Pair.assertHolds(pair.standby(), acked);
        Pair.assertLogReadable(pair.primary());
        Pair.assertLogReadable(pair.standby());
    }

    private static void kill(Victim victim) {
        if (victim != Victim.STANDBY) {
            pair.primary().kill();
        }
        if (victim != Victim.PRIMARY) {
            pair.standby().kill();
            pair.standby().start();
        }
        if (victim != Victim.STANDBY) {
            pair.primary().start();
        }
        pair.awaitStreaming();
    }

    private static long size(Path file) {
        try {
            return Files.exists(file) ? Files.size(file) : -1;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
