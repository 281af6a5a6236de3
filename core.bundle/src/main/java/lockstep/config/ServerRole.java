package lockstep.config;

import org.osgi.annotation.versioning.ProviderType;

/** Changes what this server is while it runs. An OSGi service. */
@ProviderType
public interface ServerRole {
    /**
     * Has the standby of this process end and a primary take its place, once the promotion has been decided on the disk.
     * Returns at once; the standby is ended on another thread.
     */
    void promoted();
}
