package lockstep.commit;

import org.osgi.annotation.versioning.ProviderType;

/**
 * Where commits are taken that this server does not take, because it is a standby. An OSGi service, there while it is one. May be
 * used from any thread.
 */
@ProviderType
public interface PrimaryAddress {
    /** Returns the endpoint of the server that this one follows, or tries to; empty if there is none. */
    String endpoint();
}
