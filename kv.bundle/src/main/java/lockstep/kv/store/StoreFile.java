package lockstep.kv.store;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.io.SequenceInputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Objects;
import java.util.zip.ZipOutputStream;
import org.h2.mvstore.FileStore;
import org.h2.mvstore.RandomAccessStore;
import org.h2.mvstore.SFChunk;
import org.h2.mvstore.WriteBuffer;

/**
 * The file of the store, as MVStore writes it: two blocks of header, and then a chunk for each checkpoint, in places that
 * no chunk needs any more. It differs from MVStore's own file in four things.
 *
 * <p><b>A chunk counts only when it is whole.</b> MVStore finds the last checkpoint by the footers at the end of chunks,
 * and has no checksum over what lies before. After a power cut a footer could be on the disk without its chunk. So the
 * footer is written last, after a sync of all before it.
 *
 * <p><b>The header always names the last whole chunk.</b> MVStore lets it name an older one, from which a chain of chunks
 * leads to the last. But space is used again at once here, so a crash within the next chunk could leave that chain broken,
 * and an old checkpoint would pass for the last. So the header follows each chunk, after a sync of it.
 *
 * <p><b>An interrupted reader hurts nobody.</b> A thread that is interrupted while it reads from a {@link FileChannel}
 * closes it for all. So reads and writes go through {@link RandomAccessFile}s: one each, so that a read does not wait for
 * a checkpoint.
 *
 * <p><b>It tells when the roots are taken</b>, that is, when a commit of MVStore has fixed what it will write: see {@link
 * #onRootsTaken}.
 */
final class StoreFile extends RandomAccessStore {
    /** What a disk writes whole or not at all; the footer of a chunk lies in its last one. */
    private static final int SECTOR_BYTES = 512;

    /** MVStore's unit of space. */
    private static final int BLOCK_BYTES = 4096;

    private static final int HEADER_BYTES = 2 * BLOCK_BYTES;
    private static final int COPY_BYTES = 1 << 20;

    /** What a header says of a file that was closed in good order; MVStore writes the header anew to take it back. */
    private static final String CLEAN_KEY = "clean";

    private final Path path;
    private final RandomAccessFile reader;
    private final RandomAccessFile writer;
    private Runnable rootsTaken;

    /** Opens the file, or makes it. */
    StoreFile(Path path, Map<String, Object> config) throws IOException {
        super(config);
        this.path = path;
        boolean isNew = !Files.exists(path);
        writer = new RandomAccessFile(path.toFile(), "rw");
        reader = new RandomAccessFile(path.toFile(), "r");
        if (isNew) {
            try (FileChannel directory = FileChannel.open(path.getParent(), StandardOpenOption.READ)) {
                directory.force(true);
            }
        }
        init(path.toString(), false);
        setSize(writer.length());
        keepAll(false);
    }

    /**
     * Sets whether chunks stay where they are even when nobody needs them, and their space is not used again. Otherwise
     * a chunk without live pages is free as soon as no reader needs it: every checkpoint is synced before the next.
     */
    void keepAll(boolean keep) {
        setReuseSpace(!keep);
        setRetentionTime(keep ? Integer.MAX_VALUE : -1);
    }

    /**
     * Sets what the thread that commits next runs in the middle of it: the state that will be written is fixed, the
     * writing has not begun.
     */
    void onRootsTaken(Runnable action) {
        rootsTaken = action;
    }

    @Override
    public WriteBuffer getWriteBuffer() {
        Runnable action = rootsTaken;
        rootsTaken = null;
        if (action != null) {
            action.run();
        }
        storeHeader.put(CLEAN_KEY, 1);
        return super.getWriteBuffer();
    }

    /**
     * Returns how long the file is as far as it is used, which is where a chunk goes while space is not reused. Not
     * to be called while a commit runs.
     */
    long usedBytes() {
        return getAfterLastBlock_() * BLOCK_BYTES;
    }

    /** Reads the header as it is now. */
    byte[] header() {
        byte[] header = new byte[HEADER_BYTES];
        read(0, header, 0, HEADER_BYTES);
        return header;
    }

    /** Returns the first {@code lengthBytes}, with a header that was read before. */
    InputStream content(byte[] header, long lengthBytes) {
        return new SequenceInputStream(new ByteArrayInputStream(header), new Body(lengthBytes));
    }

    @Override
    public ByteBuffer readFully(SFChunk chunk, long pos, int len) {
        byte[] bytes = new byte[len];
        read(pos, bytes, 0, len);
        readCount.incrementAndGet();
        readBytes.addAndGet(len);
        return ByteBuffer.wrap(bytes);
    }

    private void read(long position, byte[] bytes, int offset, int length) {
        try {
            synchronized (reader) {
                reader.seek(position);
                reader.readFully(bytes, offset, length);
            }
        } catch (EOFException e) {
            throw failed("ends before position " + (position + length), e);
        } catch (IOException e) {
            throw failed("cannot be read at position " + position, e);
        }
    }

    @Override
    protected void writeFully(SFChunk chunk, long pos, ByteBuffer src) {
        int length = src.remaining();
        setSize(Math.max(size(), pos + length));
        int first = chunk == null ? 0 : length - SECTOR_BYTES;
        write(pos, src, first);
        sync();
        write(pos + first, src, length - first);
        writeCount.incrementAndGet();
        writeBytes.addAndGet(length);
    }

    private void write(long position, ByteBuffer src, int length) {
        try {
            synchronized (writer) {
                writer.seek(position);
                writer.write(src.array(), src.arrayOffset() + src.position(), length);
            }
            src.position(src.position() + length);
        } catch (IOException e) {
            throw failed("cannot be written at position " + position, e);
        }
    }

    @Override
    public void sync() {
        try {
            writer.getFD().sync();
        } catch (IOException e) {
            throw failed("cannot be flushed", e);
        }
    }

    @Override
    protected void truncate(long size) {
        try {
            synchronized (writer) {
                writer.setLength(size);
            }
            setSize(size);
        } catch (IOException e) {
            throw failed("cannot be cut to " + size + " bytes", e);
        }
    }

    @Override
    public void close() {
        try (reader) {
            writer.close();
        } catch (IOException e) {
            throw failed("cannot be closed", e);
        } finally {
            super.close();
        }
    }

    private UncheckedIOException failed(String what, IOException e) {
        return new UncheckedIOException("store file \"" + path + "\" " + what + ": " + e.getMessage(), e);
    }

    @Override
    public void open(String fileName, boolean readOnly, char[] encryptionKey) {
        throw new UnsupportedOperationException("a store file is open from the start");
    }

    @Override
    public FileStore<SFChunk> open(String fileName, boolean readOnly) {
        throw new UnsupportedOperationException("a store file is open from the start");
    }

    @Override
    public void backup(ZipOutputStream out) {
        throw new UnsupportedOperationException("a store file is copied by content()");
    }

    /** Reads the file behind its header, up to a length. */
    private final class Body extends InputStream {
        private final long end;
        private long position = HEADER_BYTES;

        Body(long end) {
            this.end = end;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            Objects.checkFromIndexSize(offset, length, bytes.length);
            if (length == 0) {
                return 0;
            }
            if (position >= end) {
                return -1;
            }
            int count = (int) Math.min(Math.min(length, COPY_BYTES), end - position);
            try {
                StoreFile.this.read(position, bytes, offset, count);
            } catch (UncheckedIOException e) {
                throw new IOException(e.getMessage(), e);
            }
            position += count;
            return count;
        }
    }
}
