package lockstep.wal;

/** What became of an attempt to read a record. */
public enum ReadResult {
    /** A record was read. */
    RECORD,
    /** Not all bytes are there below the limit. Nothing is wrong: a later attempt goes on exactly where this one stopped. */
    WAIT,
    /** What stands there is no valid record; {@link WalReader#reason} says why. */
    INVALID
}
