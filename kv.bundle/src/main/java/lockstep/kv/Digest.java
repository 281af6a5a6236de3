package lockstep.kv;

/**
 * What a store holds, in brief: two servers whose digests name the same LSN have the same hash, or differ in their data.
 *
 * <p>Hashed is, for each pair in key order, the length of the key (four bytes, little-endian), the key, the length of the
 * value, and the value. Commits released before an earlier one are not in it until that one is released as well.
 *
 * @param sha256 the SHA-256 hash, 64 hexadecimal digits
 * @param lsn the end of the last commit with changes that is in it; 0 if there was none
 */
public record Digest(String sha256, long lsn) {}
