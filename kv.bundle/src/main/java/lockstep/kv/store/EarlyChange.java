package lockstep.kv.store;

import java.nio.ByteBuffer;
import org.h2.mvstore.WriteBuffer;
import org.h2.mvstore.type.BasicDataType;

/** What a commit that was released early did to a key. Lives in memory only. */
final class EarlyChange {
    /** How MVStore handles values that it never writes. */
    static final BasicDataType<EarlyChange> TYPE = new BasicDataType<>() {
        @Override
        public int getMemory(EarlyChange change) {
            return 0;
        }

        @Override
        public void write(WriteBuffer out, EarlyChange change) {
            throw new UnsupportedOperationException("early changes are not written");
        }

        @Override
        public EarlyChange read(ByteBuffer in) {
            throw new UnsupportedOperationException("early changes are not written");
        }

        @Override
        public EarlyChange[] createStorage(int size) {
            return new EarlyChange[size];
        }
    };

    /** Null if the key was deleted. */
    final byte[] value;

    /** The end of the commit. */
    final long lsn;

    EarlyChange(byte[] value, long lsn) {
        this.value = value;
        this.lsn = lsn;
    }
}
