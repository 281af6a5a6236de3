package lockstep.io;

import java.nio.file.Path;

/** Where this server keeps everything. An OSGi service, there from the start. */
public interface DataDirectory {
    /** Returns the directory, absolute. */
    Path path();
}
