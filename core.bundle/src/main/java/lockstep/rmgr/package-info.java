/**
 * The contract between the log and those who own the data that its records change.
 */
@Export
@Version("1.0.0")
package lockstep.rmgr;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
