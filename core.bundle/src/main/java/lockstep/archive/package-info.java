/** Continuous archiving: each finished segment is given to {@code archive_command}, and kept until that has succeeded. */
@Export
@Version("1.0.0")
package lockstep.archive;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
