/** The side of a primary: PostgreSQL's programs and servers connect, and are served as by a PostgreSQL server. */
package lockstep.transport.postgres.server;
