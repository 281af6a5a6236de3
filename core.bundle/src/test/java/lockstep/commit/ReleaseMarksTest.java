package lockstep.commit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Path;
import lockstep.io.FileDisk;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReleaseMarksTest {
    @TempDir
    Path directory;

    private ReleaseMarks open() throws IOException {
        return new ReleaseMarks(new FileDisk(directory), 1, epoch -> Long.MAX_VALUE);
    }

    @Test
    void nothingIsReleasedBehindTheEndOfTheLogThoughAnotherLogHadAnEpochOfThisNumber() throws IOException {
        try (ReleaseMarks before = open()) {
            before.beginEpoch(2, 1000);
            before.setReleased(CommitLevel.ON, 2000);
            before.setSettled(2000);
            before.write();
        }
        try (ReleaseMarks marks = open()) {
            assertEquals(2000, marks.releasedLsn(CommitLevel.ON));
            marks.beginEpoch(2, 1500);
            assertEquals(1500, marks.releasedLsn(CommitLevel.ON));
            assertEquals(1500, marks.settledLsn());
        }
    }
}
