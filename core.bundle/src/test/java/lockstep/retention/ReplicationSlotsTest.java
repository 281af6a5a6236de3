package lockstep.retention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import lockstep.io.Clock;
import lockstep.io.FileDisk;
import lockstep.retention.ReplicationSlots.Slot;
import lockstep.transport.api.Message.RefusalCode;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReplicationSlotsTest {
    @TempDir
    Path directory;

    private ReplicationSlots slots;
    private final List<String> ended = new ArrayList<>();

    @BeforeEach
    void open() throws IOException {
        slots = ReplicationSlots.open(new FileDisk(directory), Clock.SYSTEM, 2);
    }

    private ReplicationSlots.User user(String name) {
        return new ReplicationSlots.User() {
            @Override
            public String description() {
                return name;
            }

            @Override
            public void invalidated(String text) {
                ended.add(text);
            }
        };
    }

    private void assertRefused(RefusalCode code, String text, Attempt attempt) {
        SlotException e = assertThrows(SlotException.class, attempt::run);
        assertEquals(code, e.code());
        assertTrue(e.getMessage().contains(text), e.getMessage());
    }

    private interface Attempt {
        void run() throws Exception;
    }

    @Test
    void aTemporarySlotHoldsWalAndIsGoneAfterARestart() throws Exception {
        slots.create("t", 500, true);
        assertEquals(500, slots.oldestLsn());
        slots.acquire("t", 0, user("s1")).advance(700);
        slots.save();
        assertEquals(700, slots.oldestLsn());
        assertEquals(700, slots.restartLsn("t").orElseThrow());
        assertFalse(Files.exists(directory.resolve(ReplicationSlots.DIRECTORY).resolve("t")));
        open();
        assertTrue(slots.restartLsn("t").isEmpty());
    }

    @Test
    void aSlotHoldsAfterARestartWhatItHeldWhenItWasSaved() throws Exception {
        slots.create("s1", 0);
        assertEquals(Long.MAX_VALUE, slots.oldestLsn(), "it holds nothing yet");
        Slot slot = slots.acquire("s1", 1000, user("a"));
        assertEquals(1000, slots.oldestLsn());
        slots.save();
        slot.advance(5000);
        assertEquals(1000, slots.oldestLsn(), "what is on the disk holds");
        slot.advance(3000);
        slots.save();
        assertEquals(5000, slots.oldestLsn(), "a slot does not go back by itself");
        open();
        assertEquals(5000, slots.oldestLsn());
        assertFalse(slots.all().get(0).isActive());
    }

    @Test
    void namesAreThoseOfPostgres() throws Exception {
        slots.create("a_1", 0);
        slots.create("x".repeat(63), 0);
        for (String bad : List.of("", "A", "a-b", "../x", "a b", "é", "x".repeat(64))) {
            assertRefused(RefusalCode.NO_SUCH_SLOT, "lower case letters", () -> slots.create(bad, 0));
            assertRefused(RefusalCode.NO_SUCH_SLOT, "lower case letters", () -> slots.acquire(bad, 1, user("a")));
        }
    }

    @Test
    void thereAreNoMoreThanTheyMayBe() throws Exception {
        slots.create("a", 0);
        slots.create("b", 0);
        assertRefused(RefusalCode.NO_SUCH_SLOT, "max_replication_slots", () -> slots.create("c", 0));
        slots.drop("a");
        slots.create("c", 0);
        assertRefused(RefusalCode.SLOT_IN_USE, "already exists", () -> slots.create("c", 0));
    }

    @Test
    void oneSessionAtATimeUsesASlot() throws Exception {
        slots.create("s1", 0);
        ReplicationSlots.User holder = user("standby a");
        Slot slot = slots.acquire("s1", 1000, holder);
        assertRefused(RefusalCode.SLOT_IN_USE, "active for standby a", () -> slots.acquire("s1", 1, user("b")));
        assertRefused(RefusalCode.SLOT_IN_USE, "active for standby a", () -> slots.drop("s1"));
        slot.release(user("b"));
        assertTrue(slot.isActive());
        slot.release(holder);
        assertTrue(slots.all().get(0).inactiveSinceMicros() > 0);
        slots.acquire("s1", 1000, user("b"));
        assertRefused(RefusalCode.NO_SUCH_SLOT, "slot create s2", () -> slots.acquire("s2", 1000, user("b")));
    }

    @Test
    void aSessionPassesItsSlotToItsSuccessorAndHasItNoMore() throws Exception {
        slots.create("s1", 0);
        ReplicationSlots.User before = user("a");
        ReplicationSlots.User after = user("b");
        Slot slot = slots.acquire("s1", 1000, before);
        assertTrue(slot.pass(before, after));
        assertFalse(slot.pass(before, user("c")));
        slot.release(before);
        assertTrue(slot.isActive());
        slot.release(after);
        assertFalse(slot.isActive());
    }

    @Test
    void aLostSlotStaysLostUntilABaseBackupBeginsItAnew() throws Exception {
        slots.create("s1", 0);
        slots.acquire("s1", 1000, user("a"));
        slots.invalidateBefore(1000);
        assertEquals(List.of(), ended);
        slots.invalidateBefore(1001);
        assertEquals(1, ended.size());
        assertTrue(ended.get(0).contains("0/3E8") && ended.get(0).contains("rebuild"), ended.get(0));
        assertEquals(Long.MAX_VALUE, slots.oldestLsn());

        open();
        assertRefused(RefusalCode.SLOT_INVALIDATED, "0/3E8", () -> slots.acquire("s1", 9000, user("a")));
        Slot slot = slots.acquireForBackup("s1", false, user("a"));
        assertEquals(Long.MAX_VALUE, slots.oldestLsn(), "it is lost until the backup has begun");
        slot.beginAnew(7000);
        open();
        assertEquals(7000, slots.oldestLsn());
        slots.acquire("s1", 7000, user("a"));
    }

    @Test
    void aBaseBackupMakesASlotOnlyIfItIsAskedTo() throws Exception {
        assertRefused(RefusalCode.NO_SUCH_SLOT, "s1", () -> slots.acquireForBackup("s1", false, user("a")));
        slots.acquireForBackup("s1", true, user("a")).beginAnew(500);
        assertEquals(500, slots.oldestLsn());
    }

    @Test
    void aDroppedSlotLeavesNothing() throws Exception {
        slots.create("s1", 1000);
        slots.drop("s1");
        assertEquals(Long.MAX_VALUE, slots.oldestLsn());
        open();
        assertEquals(List.of(), slots.all());
    }

    @Test
    void noFlippedBitOfASlotsFileGoesUnnoticed() throws Exception {
        slots.create("s1", 0x1234_5678);
        Path file = directory.resolve("pg_replslot/s1");
        byte[] whole = Files.readAllBytes(file);
        for (int bit = 0; bit < whole.length * 8; bit++) {
            byte[] flipped = whole.clone();
            flipped[bit / 8] ^= (byte) (1 << bit % 8);
            Files.write(file, flipped);
            IOException e = assertThrows(IOException.class, this::open);
            assertTrue(e.getMessage().contains("pg_replslot/s1"), e.getMessage());
        }
        for (int length = 0; length < whole.length; length++) {
            Files.write(file, Arrays.copyOf(whole, length));
            assertThrows(IOException.class, this::open);
        }
        Files.write(file, whole);
        open();
        assertEquals(0x1234_5678, slots.oldestLsn());
    }

    @Test
    void whatAnInterruptedWriteLeavesIsNoSlot() throws Exception {
        slots.create("s1", 1000);
        Files.writeString(directory.resolve("pg_replslot/s1.tmp"), "half");
        open();
        assertEquals(1, slots.all().size());
    }
}
