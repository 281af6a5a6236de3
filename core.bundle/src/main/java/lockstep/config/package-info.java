/**
 * The configuration of the server: what its parameters are, what they are set to, and how a component declares and
 * receives its own.
 *
 * <p>A parameter is a method of an annotation type that is marked {@code @ObjectClassDefinition(pid = "lockstep.…")} and
 * that a component takes as its configuration. {@link lockstep.config.ServerConfiguration} is the first example. What
 * the operator reads and writes is {@code wal_sender_timeout} where the method is {@code walSenderTimeout}. The last
 * part of a longer PID qualifies the names: {@code connectTimeout} of {@code lockstep.transport.acme} is {@code
 * acme.connect_timeout}, so the parameters of two vendors never meet.
 *
 * <p>The type follows from the declaration:
 *
 * <pre>
 *   declared as                         type           in the file
 *   options                             ENUMERATION    one of them
 *   boolean                             BOOLEAN        on, off, true, false, yes, no, 1, 0
 *   int, long                           INTEGER        1000
 *   String, default such as "16MB"      SIZE           a number and B, kB, MB, GB or TB     {@code Units.bytes}
 *   String, default such as "60s"       DURATION       a number and us, ms, s, min, h or d  {@code Units.millis}
 *   other String                        TEXT           anything
 * </pre>
 *
 * <p>A default of zero shows its unit as well: {@code "0s"}. Bounds ({@code min}, {@code max}) are given in the form of
 * the value. Sizes and durations are not negative unless {@code min} says so; in the file they have a unit unless they
 * are 0 or -1. A description that ends with {@link lockstep.config.Parameter#AT_START} says that a change waits for a
 * restart.
 *
 * <p>Parameters of the PID {@code lockstep.standby} stand in {@code recovery.conf}, all others in {@code
 * lockstep.conf}. A component that has parameters requires its PID ({@code configurationPolicy = REQUIRE}): it then
 * starts when the files have been checked. One that belongs to a role also requires {@code lockstep.primary} or {@code
 * lockstep.standby}, of which a server has exactly one. ConfigAdmin starts and tells components one after the other on one thread, so
 * what takes long, such as recovery, is not done there.
 */
@Export
@Version("1.0.0")
package lockstep.config;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
