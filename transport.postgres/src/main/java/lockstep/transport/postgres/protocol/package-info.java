/**
 * The bytes of PostgreSQL's protocol 3.0, as far as replication needs it: a record for each message, with its encoding and
 * decoding beside each other. Integers are big-endian, texts end with a zero byte.
 *
 * <pre>
 *   0      1          5                               0          4
 *   +------+----------+--------                       +----------+----------+--------
 *   | type | length   | body        all but the first | length   | code     | body      the first packet of a client
 *   +------+----------+--------                       +----------+----------+--------
 *            length counts itself, not the type                    a length that counts itself
 * </pre>
 */
package lockstep.transport.postgres.protocol;
