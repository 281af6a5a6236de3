package lockstep.transport.tcp;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdCompressCtx;
import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import java.nio.ByteBuffer;
import lockstep.transport.api.MalformedMessageException;

/** Zstandard at its fastest level: whole frames, whose window is the buffer they are read into. */
final class ZstdCompressor implements Compressor {
    private static final int LEVEL = 1;

    private final ZstdCompressCtx compressor = new ZstdCompressCtx().setLevel(LEVEL);
    private final ZstdDecompressCtx decompressor = new ZstdDecompressCtx();

    @Override
    public int maxCompressedBytes(int bytes) {
        return Math.toIntExact(Zstd.compressBound(bytes));
    }

    @Override
    public int compress(ByteBuffer from, ByteBuffer to) {
        return compressor.compressDirectByteBuffer(
                to, to.position(), to.remaining(), from, from.position(), from.remaining());
    }

    @Override
    public int decompress(ByteBuffer from, ByteBuffer to) throws MalformedMessageException {
        try {
            return decompressor.decompressDirectByteBuffer(
                    to, to.position(), to.remaining(), from, from.position(), from.remaining());
        } catch (ZstdException e) {
            throw new MalformedMessageException("is no Zstandard, or more than it says: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        compressor.close();
        decompressor.close();
    }
}
