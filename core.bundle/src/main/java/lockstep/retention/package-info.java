/** Which WAL is kept, and for whom: replication slots, and the one place that decides what is removed. */
@Export
@Version("1.0.0")
package lockstep.retention;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
