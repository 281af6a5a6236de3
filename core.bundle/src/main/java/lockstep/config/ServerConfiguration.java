package lockstep.config;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;
import org.osgi.service.metatype.annotations.Option;

/** The parameters of the server itself, in {@code lockstep.conf}. Names, defaults and meaning are PostgreSQL's. */
@ObjectClassDefinition(pid = ServerConfiguration.PID, name = "Lockstep server")
public @interface ServerConfiguration {
    /** What a component names as its configuration PID to receive them. */
    String PID = "lockstep.server";

    /** Endpoints, separated by commas. */
    @AttributeDefinition(
            description = "The endpoints to listen on, separated by commas, such as tcp://127.0.0.1:5440;"
                    + " without any, nobody can connect.")
    String listenAddresses() default "";

    /** A size: a power of two. */
    @AttributeDefinition(
            description = "The size of a WAL segment; counts when the data directory is created. " + Parameter.AT_START,
            options = {
                @Option(label = "1MB", value = "1MB"),
                @Option(label = "2MB", value = "2MB"),
                @Option(label = "4MB", value = "4MB"),
                @Option(label = "8MB", value = "8MB"),
                @Option(label = "16MB", value = "16MB"),
                @Option(label = "32MB", value = "32MB"),
                @Option(label = "64MB", value = "64MB"),
                @Option(label = "128MB", value = "128MB"),
                @Option(label = "256MB", value = "256MB"),
                @Option(label = "512MB", value = "512MB"),
                @Option(label = "1GB", value = "1GB")
            })
    String walSegmentSize() default "16MB";

    /** A size. */
    @AttributeDefinition(
            description = "The memory for WAL that is on its way to the disk and to standbys; taken as the next"
                    + " smaller power of two. " + Parameter.AT_START,
            min = "256kB",
            max = "1GB")
    String walBuffers() default "16MB";

    /** {@code default}, or a {@link lockstep.io.SyncMethod} as it is configured. */
    @AttributeDefinition(
            description = "How WAL is forced to the disk; default takes the fastest that the file system can. "
                    + Parameter.AT_START,
            options = {
                @Option(label = "default", value = "default"),
                @Option(label = "fdatasync", value = "fdatasync"),
                @Option(label = "open_datasync", value = "open_datasync"),
                @Option(label = "direct_datasync", value = "direct_datasync")
            })
    String walSyncMethod() default "default";

    /** A size. */
    @AttributeDefinition(
            description = "How much WAL is kept for standbys that are away, beside what checkpoints need.",
            min = "0")
    String walKeepSize() default "1GB";

    /** A size; -1 is any amount. */
    @AttributeDefinition(
            description = "How much WAL a replication slot, or a connected standby without one, may hold before it is"
                    + " given up and its standby has to be rebuilt; -1 for any amount, until the disk is full.",
            min = "-1")
    String maxSlotWalKeepSize() default "10GB";

    /** Whether finished segments are archived. */
    @AttributeDefinition(
            description = "Whether a primary has each finished WAL segment archived by archive_command; none is removed"
                    + " before that has succeeded. A standby archives nothing before it is promoted. "
                    + Parameter.AT_START,
            options = {@Option(label = "off", value = "off"), @Option(label = "on", value = "on")})
    String archiveMode() default "off";

    /** A command. */
    @AttributeDefinition(
            description = "What archives a file: run by /bin/sh in the data directory, with the file's path for %p, its"
                    + " name for %f and % for %%. It returns 0 only when the copy is safe, bears with being run twice for a"
                    + " file, and overwrites nothing else, such as test ! -f /archive/%f && cp %p /archive/%f.")
    String archiveCommand() default "";

    /** A duration; 0 is never. */
    @AttributeDefinition(
            description = "After how long a segment with something in it is finished early, so that it is archived; 0"
                    + " for never.",
            min = "0")
    String archiveTimeout() default "0";

    /** How many. */
    @AttributeDefinition(description = "How many replication slots there may be.", min = "0", max = "262143")
    int maxReplicationSlots() default 10;

    /** A size. */
    @AttributeDefinition(
            description =
                    "How much WAL is wanted at the most between two checkpoints, one of which begins after half as"
                            + " much; a quarter of the heap bounds it too.",
            min = "2MB")
    String maxWalSize() default "1GB";

    /** A duration. */
    @AttributeDefinition(description = "The longest time between two checkpoints.", min = "30s", max = "1d")
    String checkpointTimeout() default "5min";

    /** A {@link lockstep.commit.CommitLevel} as it is configured. */
    @AttributeDefinition(
            description = "How safe a commit is when it returns, unless the commit itself asks for another level.",
            options = {
                @Option(label = "off", value = "off"),
                @Option(label = "local", value = "local"),
                @Option(label = "remote_write", value = "remote_write"),
                @Option(label = "on", value = "on"),
                @Option(label = "remote_apply", value = "remote_apply")
            })
    String synchronousCommit() default "on";

    /** {@link lockstep.commit.StandbyNames} as they are configured. */
    @AttributeDefinition(
            description = "The standbys that a commit waits for: * for one of any name, a list for the first of it that"
                    + " streams, FIRST n (list), ANY n (list), or nothing.")
    String synchronousStandbyNames() default "*";

    /** {@code local} or {@code downstream}. */
    @AttributeDefinition(
            description =
                    "Whose positions this standby acknowledges to its primary: its own (local), or what those standbys of its"
                            + " own have, too, that its synchronous_standby_names chooses (downstream), so that commits on the"
                            + " primary wait for both.",
            options = {@Option(label = "local", value = "local"), @Option(label = "downstream", value = "downstream")})
    String relayAck() default "local";

    /** What happens when too few standbys are there. */
    @AttributeDefinition(
            description = "What happens when fewer standbys are there than synchronous_standby_names requires: commits"
                    + " hang until they are back, wait for standby_timeout before the server degrades, or it degrades at"
                    + " once.",
            options = {
                @Option(label = "hang", value = "hang"),
                @Option(label = "wait", value = "wait"),
                @Option(label = "degrade", value = "degrade")
            })
    String standbyUnavailable() default "hang";

    /** A duration. */
    @AttributeDefinition(
            description =
                    "For how long commits wait before the server degrades: for standbys that are away, or that are"
                            + " there and make no progress.",
            min = "10ms")
    String standbyTimeout() default "10s";

    /** What commits wait for in degraded mode. */
    @AttributeDefinition(
            description = "What commits that ask a standby still wait for in degraded mode: the local flush, that the"
                    + " standbys have written them, or as many standbys as are left.",
            options = {
                @Option(label = "local", value = "local"),
                @Option(label = "remote_write", value = "remote_write"),
                @Option(label = "fewer", value = "fewer")
            })
    String degradeTo() default "local";

    /** How many. */
    @AttributeDefinition(
            description = "How many copies on a disk, the primary's own among them, such a commit has at the least in"
                    + " degraded mode; not more than synchronous_standby_names asks for.",
            min = "1",
            max = "1000")
    int minCopies() default 1;

    /** A duration; 0 is for ever. */
    @AttributeDefinition(
            description =
                    "The longest time in degraded mode, after which degraded_exhausted says what happens; 0 for no"
                            + " limit.",
            min = "0")
    String degradedMaxTime() default "0s";

    /** A size; 0 is any. */
    @AttributeDefinition(
            description = "The most WAL in degraded mode, past which degraded_exhausted says what happens; 0 for no"
                    + " limit.",
            min = "0")
    String degradedMaxWal() default "0MB";

    /** What happens past a limit of degraded mode. */
    @AttributeDefinition(
            description = "What happens to new commits that ask a standby past degraded_max_time or degraded_max_wal:"
                    + " they hang until the standbys are back, or fail before anything is written.",
            options = {@Option(label = "hang", value = "hang"), @Option(label = "fail", value = "fail")})
    String degradedExhausted() default "hang";

    /** A duration. */
    @AttributeDefinition(
            description = "For how long the required standbys must have been back and caught up before degraded mode is"
                    + " left.",
            min = "0")
    String degradedReturnDelay() default "1s";

    /** A duration; 0 is for ever. */
    @AttributeDefinition(
            description = "For how long a primary hears nothing from a standby before it ends the session; 0 for ever.",
            min = "0")
    String walSenderTimeout() default "60s";

    /** How many. */
    @AttributeDefinition(description = "How many standbys may be connected.", min = "0", max = "262143")
    int maxWalSenders() default 10;

    /** A duration; 0 is for ever. */
    @AttributeDefinition(
            description = "For how long a standby hears nothing from its primary before it ends the session;"
                    + " 0 for ever.",
            min = "0")
    String walReceiverTimeout() default "60s";

    /** A duration; 0 is never. */
    @AttributeDefinition(
            description = "The longest time between two reports of a standby on how far it is; 0 leaves out those"
                    + " that bring no news.",
            min = "0")
    String walReceiverStatusInterval() default "10s";

    /** A duration. */
    @AttributeDefinition(
            description =
                    "The longest time a standby waits before it tries again to connect to its primary; after a session that"
                            + " worked it tries at once, and then ever more rarely.",
            min = "1ms")
    String walRetrieveRetryInterval() default "5s";
}
