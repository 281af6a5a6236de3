/** Sending WAL to standbys: catch-up from files, live streaming, and base backups. */
@Export
@Version("1.0.0")
package lockstep.send;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
