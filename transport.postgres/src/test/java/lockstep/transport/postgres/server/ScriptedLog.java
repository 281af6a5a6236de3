package lockstep.transport.postgres.server;

import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import lockstep.retention.SlotException;
import lockstep.send.ServedLog;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.wal.TimelineHistory;

/** A log on timeline 3 whose facts a test knows, and slots that are remembered. */
final class ScriptedLog implements ServedLog {
    static final long SYSTEM_ID = 0xF000_0000_0000_0001L;
    static final long SECOND_TIMELINE_LSN = 0x1500_0000L;
    static final long THIRD_TIMELINE_LSN = 0x1600_0010L;
    static final long FLUSHED_LSN = 0x17_0000_00A0L;

    final Map<String, Long> slots = new ConcurrentHashMap<>();

    @Override
    public long systemId() {
        return SYSTEM_ID;
    }

    @Override
    public int segmentBytes() {
        return 16 << 20;
    }

    @Override
    public int postgresVersion() {
        return 15;
    }

    @Override
    public TimelineHistory history() {
        return TimelineHistory.of(1).fork(SECOND_TIMELINE_LSN, 2, "first").fork(THIRD_TIMELINE_LSN, 3, "second");
    }

    @Override
    public long flushedLsn() {
        return FLUSHED_LSN;
    }

    @Override
    public boolean isStandby() {
        return false;
    }

    @Override
    public OptionalLong slotRestartLsn(String name) {
        return slots.containsKey(name) ? OptionalLong.of(slots.get(name)) : OptionalLong.empty();
    }

    @Override
    public void createSlot(String name, boolean reserve, boolean temporary) throws SlotException {
        if (slots.putIfAbsent(name, reserve ? THIRD_TIMELINE_LSN : 0L) != null) {
            throw new SlotException(RefusalCode.SLOT_IN_USE, "replication slot \"" + name + "\" already exists");
        }
    }

    @Override
    public void dropSlot(String name) throws SlotException {
        if (slots.remove(name) == null) {
            throw new SlotException(RefusalCode.NO_SUCH_SLOT, "replication slot \"" + name + "\" does not exist");
        }
    }
}
