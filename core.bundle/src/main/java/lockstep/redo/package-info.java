/** Redo: the records of the log, one after the other, handed to those whose data they change. */
@Export
@Version("1.0.0")
package lockstep.redo;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
