/**
 * The transports that are here, as the server uses them: each behind a guard that counts what it carries and keeps what is
 * wrong with it to itself ({@link lockstep.transports.Carrier}).
 */
@Export
@Version("1.0.0")
package lockstep.transports;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
