/**
 * Waiting for a commit to be as safe as asked: the LSN-ordered queue and the policy that says how far it is released.
 */
@Export
@Version("1.0.0")
package lockstep.commit;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
