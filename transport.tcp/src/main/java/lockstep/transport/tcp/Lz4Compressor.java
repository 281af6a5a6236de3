package lockstep.transport.tcp;

import java.nio.ByteBuffer;
import lockstep.transport.api.MalformedMessageException;
import net.jpountz.lz4.LZ4Compressor;
import net.jpountz.lz4.LZ4Exception;
import net.jpountz.lz4.LZ4Factory;
import net.jpountz.lz4.LZ4SafeDecompressor;

/** LZ4's block format. Of the library's decompressors the one that trusts no length; native where it can be loaded. */
final class Lz4Compressor implements Compressor {
    private static final LZ4Factory FACTORY = factory();

    private final LZ4Compressor compressor = FACTORY.fastCompressor();
    private final LZ4SafeDecompressor decompressor = FACTORY.safeDecompressor();

    private static LZ4Factory factory() {
        try {
            // The library itself would not try where it is not on the class path, as in a bundle.
            return LZ4Factory.nativeInstance();
        } catch (LinkageError | AssertionError noneForThisMachine) {
            return LZ4Factory.fastestJavaInstance();
        }
    }

    @Override
    public int maxCompressedBytes(int bytes) {
        return compressor.maxCompressedLength(bytes);
    }

    @Override
    public int compress(ByteBuffer from, ByteBuffer to) {
        return compressor.compress(from, from.position(), from.remaining(), to, to.position(), to.remaining());
    }

    @Override
    public int decompress(ByteBuffer from, ByteBuffer to) throws MalformedMessageException {
        try {
            return decompressor.decompress(from, from.position(), from.remaining(), to, to.position(), to.remaining());
        } catch (LZ4Exception e) {
            throw new MalformedMessageException("is no LZ4, or more than it says: " + e.getMessage(), e);
        }
    }
}
