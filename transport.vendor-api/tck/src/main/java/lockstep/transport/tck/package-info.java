/**
 * The checks that every transport has to pass. A vendor extends {@link lockstep.transport.tck.TransportContract} in a
 * test of the transport, says there how to make one and where it can listen, and runs it with JUnit.
 */
@Export
@Version("1.0.0")
package lockstep.transport.tck;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
