/**
 * PostgreSQL's own streaming replication protocol, {@code postgresql://HOST:PORT}, so that PostgreSQL servers and programs
 * are peers. {@link lockstep.transport.postgres.PostgresTransport} is the component; {@code protocol} has the messages,
 * {@code server} speaks as a PostgreSQL primary does with standbys, and {@code client} as a standby does with a primary.
 *
 * <p>The vendors' test kit does not apply: it sends each kind of message from one end to the other, and this protocol has room for
 * some only, in the order that PostgreSQL knows. PostgreSQL's own programs and servers are what the tests hold both sides to.
 */
package lockstep.transport.postgres;
