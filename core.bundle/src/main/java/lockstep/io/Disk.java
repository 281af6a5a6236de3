package lockstep.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * The data directory of a server. Paths are relative to it, with {@code /} between names. May be used by several
 * threads. Errors name the file; {@link DiskFullException} says that there is no room.
 */
public interface Disk {
    /** Returns the size and alignment that direct writes need. */
    int blockBytes();

    /** Returns whether the file system can write so. */
    boolean supports(SyncMethod method) throws IOException;

    /** Opens an existing file for reading. */
    DiskFile openForReading(String path) throws IOException;

    /** Opens an existing file for reading and writing. */
    DiskFile open(String path, SyncMethod method) throws IOException;

    /**
     * Makes a file that has all its blocks, so that writing into it later changes no metadata. The file appears under its
     * name only when it is whole and on the disk; nothing is left behind on failure.
     *
     * @param head what it begins with; zeros follow
     */
    void create(String path, ByteBuffer head, long lengthBytes) throws IOException;

    /**
     * Makes an empty file, or empties the one of that name, and opens it for buffered writing. The name is on the disk when
     * this returns; what is written is after {@link DiskFile#sync}.
     */
    DiskFile createEmpty(String path) throws IOException;

    /** Replaces or makes a small file in one step that survives a crash whole. */
    void writeAtomically(String path, ByteBuffer content) throws IOException;

    /** Reads a small file. */
    byte[] readAll(String path) throws IOException;

    /** Returns whether there is such a file or directory. */
    boolean exists(String path);

    /** Returns the names in a directory, sorted; empty if there is no such directory. */
    List<String> list(String directory) throws IOException;

    /** Makes a directory and those above it, if they do not exist. */
    void createDirectories(String directory) throws IOException;

    /** Gives a file another name, replacing what has it; on the disk when it returns. */
    void rename(String from, String to) throws IOException;

    /** Removes a file if it exists; on the disk when it returns. */
    void delete(String path) throws IOException;
}
