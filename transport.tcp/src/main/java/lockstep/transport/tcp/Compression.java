package lockstep.transport.tcp;

import com.github.luben.zstd.util.Native;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * How bulk data is made smaller on its way. The connecting side asks for one in its HELLO, and the other agrees in its
 * WELCOME or says nothing, as servers do that do not know of it: then nothing is compressed.
 */
enum Compression {
    /** Fast: for links that are slower than a disk. */
    LZ4 {
        @Override
        Compressor start() {
            return new Lz4Compressor();
        }
    },

    /** Smaller, for more work: for links that are slow. */
    ZSTD {
        @Override
        boolean isAvailable() {
            try {
                Native.load();
                return true;
            } catch (LinkageError noneForThisMachine) {
                return false;
            }
        }

        @Override
        Compressor start() {
            return new ZstdCompressor();
        }
    };

    /** What stands for no compression in an endpoint. */
    static final String OFF = "off";

    /** What it is called, in endpoints, in the handshake, and to operators. */
    final String word;

    Compression() {
        word = name().toLowerCase(Locale.ROOT);
    }

    /** Returns whether this machine can do it. */
    boolean isAvailable() {
        return true;
    }

    /** Begins to compress and decompress for one session. */
    abstract Compressor start();

    static Optional<Compression> of(String word) {
        return Stream.of(values()).filter(one -> one.word.equals(word)).findFirst();
    }
}
