package lockstep.rmgr;

import java.io.IOException;
import java.io.InputStream;
import org.osgi.annotation.versioning.ProviderType;

/** Takes the files of a resource manager into a base backup. */
@ProviderType
public interface BackupSink {
    /**
     * Sends a file. Blocks as long as the standby needs.
     *
     * @param path relative to the data directory, with {@code /} between names; the same on the standby
     * @param content read to exactly {@code lengthBytes}
     */
    void file(String path, long lengthBytes, InputStream content) throws IOException;
}
