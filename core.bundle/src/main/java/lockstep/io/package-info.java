/**
 * The seams to the world: disk, clock and threads sit behind small interfaces, so that a whole cluster can run in one test with simulated faults.
 */
@Export
@Version("1.0.0")
package lockstep.io;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
