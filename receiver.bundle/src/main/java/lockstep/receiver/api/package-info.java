/**
 * What a standby tells about itself, and what it can be asked to do: for the shell, and for whoever watches over it.
 */
@Export
@Version("1.0.0")
package lockstep.receiver.api;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
