/** A primary: everything a server that accepts commits is made of, put together. */
@Export
@Version("1.0.0")
package lockstep.primary;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
