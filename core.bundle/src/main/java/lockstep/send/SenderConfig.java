package lockstep.send;

/**
 * How standbys are served.
 *
 * @param maxSenders how many at the most ({@code max_wal_senders})
 * @param timeoutMs after how long without a word a standby is given up ({@code wal_sender_timeout}); 0 for never
 */
public record SenderConfig(int maxSenders, long timeoutMs) {}
