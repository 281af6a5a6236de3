package lockstep.retention;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.regex.Pattern;
import lockstep.io.Clock;
import lockstep.io.Disk;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message.RefusalCode;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The physical replication slots of a server: names under which WAL is kept for standbys, also while they are away and
 * over restarts of either side.
 *
 * <p><b>Idea.</b> A slot is one position, {@code restart_lsn}: the WAL from there on is kept. While a standby uses the slot, it
 * follows what the standby has flushed. It reaches the disk lazily, before WAL is removed: what a crash forgets is progress,
 * and then a little more WAL is kept than is needed, never less.
 *
 * <pre>
 *   state        event                                              next
 *   EMPTY        a standby starts with it, or asks for a backup      HOLDING: from there on
 *   HOLDING      more WAL than may be kept for it, at a checkpoint   LOST: its session ends
 *   LOST         a standby asks for a base backup with it            HOLDING: it needs nothing older any more
 *   any          drop                                                (gone)
 * </pre>
 *
 * <p><b>Invariants.</b> One session at the most uses a slot. No WAL is removed that a slot holds on the disk or in memory; so
 * a disk without room for the slots' files does not keep WAL from being removed. That a slot is lost shows in its WAL too,
 * which is not there.
 * <b>Lock.</b> {@code this} guards the table and all writing; positions are read without it.
 */
public final class ReplicationSlots {
    /** Where the slots are, relative to the data directory. */
    public static final String DIRECTORY = SlotFile.DIRECTORY;

    private static final Pattern NAME = Pattern.compile("[a-z0-9_]{1,63}");
    private static final String TEMPORARY = ".tmp";
    private static final Logger log = LoggerFactory.getLogger(ReplicationSlots.class);

    /** Who uses a slot. */
    public interface User {
        /** Says who that is, for others who want the slot. */
        String description();

        /** The slot is lost: the session ends with this text. On the thread that removes WAL. */
        void invalidated(String text);
    }

    private final Disk disk;
    private final Clock clock;
    private final Map<String, Slot> slots = new TreeMap<>();
    private volatile int max;

    private ReplicationSlots(Disk disk, Clock clock, int max) {
        this.disk = disk;
        this.clock = clock;
        this.max = max;
    }

    /**
     * Reads the slots of a data directory. More than there may be are taken all the same: they hold WAL.
     *
     * @param max how many there may be ({@code max_replication_slots})
     * @throws IOException if a slot's file is damaged; names it
     */
    public static ReplicationSlots open(Disk disk, Clock clock, int max) throws IOException {
        ReplicationSlots opened = new ReplicationSlots(disk, clock, max);
        for (String name : disk.list(DIRECTORY)) {
            if (!name.endsWith(TEMPORARY)) {
                opened.slots.put(name, opened.new Slot(SlotFile.read(disk, name), false));
            }
        }
        return opened;
    }

    /** Changes how many there may be. */
    public void configure(int newMax) {
        max = newMax;
    }

    /**
     * Checks a name.
     *
     * @throws SlotException if no slot may be called so
     */
    static void checkName(String name) throws SlotException {
        if (!NAME.matcher(name).matches()) {
            throw new SlotException(
                    RefusalCode.NO_SUCH_SLOT,
                    "\"" + name + "\" is no name of a replication slot: expected 1 to 63 lower case letters, digits and"
                            + " underscores");
        }
    }

    /**
     * Makes a slot; on the disk when this returns.
     *
     * @param restartLsn from where it holds WAL; 0 for nothing until a standby uses it
     */
    void create(String name, long restartLsn) throws SlotException, IOException {
        create(name, restartLsn, false);
    }

    /**
     * Makes a slot; on the disk when this returns, unless it is temporary: then it is gone after a restart.
     *
     * @param restartLsn from where it holds WAL; 0 for nothing until a standby uses it
     */
    public synchronized void create(String name, long restartLsn, boolean temporary) throws SlotException, IOException {
        checkName(name);
        if (slots.containsKey(name)) {
            throw new SlotException(RefusalCode.SLOT_IN_USE, "replication slot \"" + name + "\" already exists");
        }
        if (slots.size() >= max) {
            throw new SlotException(
                    RefusalCode.NO_SUCH_SLOT,
                    "all " + max + " replication slots are in use: drop one, or raise max_replication_slots");
        }
        SlotFile file = new SlotFile(name, restartLsn, false);
        if (!temporary) {
            disk.createDirectories(DIRECTORY);
            file.write(disk);
        }
        slots.put(name, new Slot(file, temporary));
        log.info("{}replication slot \"{}\" created, {}", temporary ? "temporary " : "", name, held(restartLsn));
    }

    private static String held(long lsn) {
        return lsn == Lsn.INVALID ? "it holds no WAL yet" : "it holds WAL from " + Lsn.text(lsn);
    }

    /** Removes a slot that nobody uses. */
    public synchronized void drop(String name) throws SlotException, IOException {
        Slot slot = find(name);
        if (slot.user != null) {
            throw new SlotException(
                    RefusalCode.SLOT_IN_USE,
                    "replication slot \"" + name + "\" is active for " + slot.user.description()
                            + ": stop that standby first");
        }
        if (!slot.temporary) {
            disk.delete(SlotFile.path(name));
        }
        slots.remove(name);
        log.info("replication slot \"{}\" dropped, {}", name, held(slot.restartLsn()));
    }

    private Slot find(String name) throws SlotException {
        Slot slot = slots.get(name);
        if (slot == null) {
            checkName(name);
            throw new SlotException(
                    RefusalCode.NO_SUCH_SLOT,
                    "replication slot \"" + name
                            + "\" does not exist on the sending server: \"slots\" there lists those that do, \"slot create "
                            + name + "\" makes it");
        }
        return slot;
    }

    /**
     * Takes a slot for streaming.
     *
     * @param startLsn from where, or 0 to leave the slot where it is
     * @throws SlotException if there is no such slot, somebody else uses it, or it is lost
     */
    public synchronized Slot acquire(String name, long startLsn, User user) throws SlotException {
        Slot slot = acquire(name, user);
        if (slot.invalidated) {
            slot.release(user);
            throw new SlotException(RefusalCode.SLOT_INVALIDATED, slot.lostText());
        }
        if (startLsn != Lsn.INVALID) {
            slot.restartLsn = startLsn;
        }
        return slot;
    }

    /**
     * Takes a slot for a base backup, with which it begins anew: see {@link Slot#beginAnew}.
     *
     * @param create whether to make it if it does not exist
     * @throws SlotException if there is no such slot, or somebody else uses it
     */
    public synchronized Slot acquireForBackup(String name, boolean create, User user)
            throws SlotException, IOException {
        if (create && !slots.containsKey(name)) {
            create(name, Lsn.INVALID);
        }
        return acquire(name, user);
    }

    private Slot acquire(String name, User user) throws SlotException {
        Slot slot = find(name);
        if (slot.user != null) {
            throw new SlotException(
                    RefusalCode.SLOT_IN_USE,
                    "replication slot \"" + name + "\" is active for " + slot.user.description()
                            + ": give each standby a slot of its own");
        }
        slot.user = user;
        return slot;
    }

    /** Brings the positions to the disk. */
    public synchronized void save() throws IOException {
        for (Slot slot : slots.values()) {
            slot.save();
        }
    }

    /** Brings the positions to the disk, as far as it lets them. What stays there is older, and holds more. */
    synchronized void trySave() {
        slots.values().forEach(Slot::trySave);
    }

    /** Returns the first position that a slot holds; {@link Long#MAX_VALUE} if none holds any. */
    synchronized long oldestLsn() {
        return slots.values().stream().mapToLong(Slot::heldLsn).min().orElse(Long.MAX_VALUE);
    }

    /** Gives up the slots that hold WAL before a position, because it will be removed; their sessions have been told to end. */
    void invalidateBefore(long lsn) {
        for (Slot slot : all()) {
            slot.invalidateBefore(lsn);
        }
    }

    /** Returns from where a slot holds WAL, 0 if it holds none; empty if there is no such slot. */
    public synchronized OptionalLong restartLsn(String name) {
        Slot slot = slots.get(name);
        return slot == null ? OptionalLong.empty() : OptionalLong.of(slot.invalidated ? Lsn.INVALID : slot.restartLsn);
    }

    /** Returns all slots, by name. */
    synchronized List<Slot> all() {
        return new ArrayList<>(slots.values());
    }

    /** A slot. While somebody uses it, that one alone moves it. */
    public final class Slot {
        private final String name;
        private final boolean temporary;
        private volatile long restartLsn;
        private volatile boolean invalidated;
        private volatile User user;
        private volatile long inactiveSinceMicros = clock.micros();

        /** What the file says; guarded by the slots. */
        private SlotFile saved;

        private Slot(SlotFile file, boolean temporary) {
            name = file.name();
            this.temporary = temporary;
            restartLsn = file.restartLsn();
            invalidated = file.invalidated();
            saved = file;
        }

        /** Returns its name. */
        public String name() {
            return name;
        }

        /** The standby has flushed all before a position. */
        public void advance(long lsn) {
            if (lsn > restartLsn && !invalidated) {
                restartLsn = lsn;
            }
        }

        /** Holds WAL from a position on, where a base backup's redo begins, whatever was before; on the disk when it returns. */
        public void beginAnew(long lsn) throws IOException {
            synchronized (ReplicationSlots.this) {
                restartLsn = lsn;
                invalidated = false;
                save();
            }
            log.info(
                    "replication slot \"{}\" begins anew with a base backup, it holds WAL from {}",
                    name,
                    Lsn.text(lsn));
        }

        /** Hands it from one user to another, if that one still has it; returns whether it had. */
        public boolean pass(User from, User to) {
            synchronized (ReplicationSlots.this) {
                if (user != from || invalidated) {
                    return false;
                }
                user = to;
                return true;
            }
        }

        /** Ends its use. Does nothing when somebody else uses it, or nobody. */
        public void release(User by) {
            synchronized (ReplicationSlots.this) {
                if (user == by && by != null) {
                    user = null;
                    inactiveSinceMicros = clock.micros();
                }
            }
        }

        private void save() throws IOException {
            SlotFile now = new SlotFile(name, restartLsn, invalidated);
            if (!now.equals(saved)) {
                if (!temporary) {
                    now.write(disk);
                }
                saved = now;
            }
        }

        private void trySave() {
            try {
                save();
            } catch (IOException e) {
                log.warn("the state of replication slot \"{}\" stays as it is on the disk: {}", name, e.getMessage());
            }
        }

        private long heldLsn() {
            if (invalidated || restartLsn == Lsn.INVALID) {
                return Long.MAX_VALUE;
            }
            return saved.restartLsn() == Lsn.INVALID ? restartLsn : Math.min(restartLsn, saved.restartLsn());
        }

        private void invalidateBefore(long lsn) {
            User last;
            synchronized (ReplicationSlots.this) {
                if (invalidated || restartLsn == Lsn.INVALID || restartLsn >= lsn) {
                    return;
                }
                invalidated = true;
                trySave();
                last = user;
            }
            log.warn(
                    "replication slot \"{}\" is invalidated: it held WAL from {}, and WAL before {} is removed now"
                            + " (max_slot_wal_keep_size). Its standby has to be rebuilt",
                    name,
                    Lsn.text(restartLsn),
                    Lsn.text(lsn));
            if (last != null) {
                last.invalidated(lostText());
            }
        }

        private String lostText() {
            return "replication slot \"" + name + "\" was invalidated: its standby needs WAL from "
                    + Lsn.text(restartLsn) + ", which was removed when it was more than max_slot_wal_keep_size allows."
                    + " Run \"rebuild\" on the standby: with the new base backup the slot begins anew";
        }

        long restartLsn() {
            return restartLsn;
        }

        boolean isInvalidated() {
            return invalidated;
        }

        boolean isActive() {
            return user != null;
        }

        long inactiveSinceMicros() {
            return user != null ? 0 : inactiveSinceMicros;
        }
    }
}
