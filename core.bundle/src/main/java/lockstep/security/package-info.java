/**
 * Who may connect, and how that is proved: the rules of {@code access.conf} ({@link lockstep.security.AccessRules}),
 * passwords ({@link lockstep.security.ScramServer}, {@link lockstep.security.ScramClient}) and what TLS needs ({@link
 * lockstep.security.TlsMaterial}). {@link lockstep.security.Security} is the service that has the files of a server and
 * keeps up with them. Transports of the distribution share all this; it knows nothing of how bytes travel.
 *
 * <p>A password, a key or what proves one stands in no text that this package makes: not in a message, not in an
 * exception, not in {@code toString()}.
 */
@Export
@Version("1.0.0")
package lockstep.security;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
