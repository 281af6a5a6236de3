/** What survives a crash and how a server comes back from one: the control file, epochs, start-up and checkpoints. */
@Export
@Version("1.0.0")
package lockstep.recovery;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
