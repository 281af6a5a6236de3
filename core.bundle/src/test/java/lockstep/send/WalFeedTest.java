package lockstep.send;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import lockstep.io.Clock;
import lockstep.io.FileDisk;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.transport.api.Epoch;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.ReplicationStarted;
import lockstep.transport.api.Message.WalData;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.wal.RecordGroup;
import lockstep.wal.SegmentFiles;
import lockstep.wal.TimelineHistory;
import lockstep.wal.Wal;
import lockstep.wal.WalConfig;
import lockstep.wal.WalIdentity;
import lockstep.wal.WalLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WalFeedTest {
    private static final WalLayout LAYOUT = new WalLayout(1 << 20);
    private static final long START_LSN = LAYOUT.segmentStart(1);
    private static final int BUFFERS = 256 << 10;
    private static final int RMGR = 200;

    @TempDir
    private Path directory;

    private WalFeed feed;

    /** Beyond what has been sent, at the moment at which it goes out: what an answer at once would not count for. */
    private final List<Long> notCounted = new ArrayList<>();

    private final Session session = new Session() {
        @Override
        public void send(Message message) {
            if (message instanceof WalData data) {
                notCounted.add(data.startLsn() + data.bytes().remaining() - feed.sentLsn());
            }
        }

        @Override
        public boolean isWritable() {
            return true;
        }

        @Override
        public Peer peer() {
            return new Peer("", "", false);
        }

        @Override
        public void close(String cause) {}
    };

    @Test
    void anAnswerThatIsHereBeforeTheSenderIsBackCountsInFull() throws Exception {
        WalIdentity identity = new WalIdentity(1, TimelineHistory.of(1), LAYOUT);
        FileDisk disk = new FileDisk(directory);
        try (Wal wal = new Wal(
                new WalConfig(identity, BUFFERS, SyncMethod.FDATASYNC, false),
                disk,
                new SegmentFiles(disk, identity),
                new ThreadWorkers(),
                (message, cause) -> {
                    throw new AssertionError(message, cause);
                },
                START_LSN)) {
            wal.startInserting(0);
            wal.start();
            feed = new WalFeed(session, wal, serverOf(wal), Clock.SYSTEM);
            feed.start(new ReplicationStarted(1, 1, 1 << 20, START_LSN, 0, List.of(new Epoch(1, 0)), ""), () -> {});
            long endLsn = insert(wal);
            wal.awaitFlushed(endLsn);
            feed.sendFromLog(endLsn);
            feed.goLive(endLsn);
            long liveEndLsn = insert(wal);
            feed.filled(endLsn, liveEndLsn);
            feed.close();
        }
        assertEquals(List.of(0L, 0L), notCounted);
    }

    private static long insert(Wal wal) throws Exception {
        RecordGroup group = new RecordGroup();
        group.add(1, RMGR, 0x10, 100).put(new byte[100]);
        wal.insert(group, (start, end) -> {});
        return wal.filledLsn();
    }

    private static SendingServer serverOf(Wal wal) {
        return (SendingServer) Proxy.newProxyInstance(
                SendingServer.class.getClassLoader(),
                new Class<?>[] {SendingServer.class},
                (proxy, method, arguments) -> switch (method.getName()) {
                    case "endLsn" -> wal.filledLsn();
                    case "primaryFlushedLsn" -> wal.flushedLsn();
                    default -> throw new AssertionError(method);
                });
    }
}
