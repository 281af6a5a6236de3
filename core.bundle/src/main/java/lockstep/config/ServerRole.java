package lockstep.config;

import java.io.IOException;
import org.osgi.annotation.versioning.ProviderType;

/** Changes what this server is while it runs. An OSGi service. */
@ProviderType
public interface ServerRole {
    /**
     * Has the standby of this process end and a primary take its place, once the promotion has been decided on the disk.
     * Returns at once; the standby is ended on another thread.
     */
    void promoted();

    /** Returns what this server, a primary, would be called as a standby. */
    String standbyName();

    /**
     * Makes this server, a primary, a standby from its next start on; that is on the disk when this returns.
     *
     * @param endpoints where its primary will be reached, as in {@code primary_conninfo}
     */
    void prepareToFollow(String endpoints) throws IOException;

    /** Takes back {@link #prepareToFollow}, if it has been called; that is on the disk when this returns. */
    void stayPrimary() throws IOException;

    /**
     * Has the primary of this process end and a standby take its place, as was prepared. Returns at once; the primary is ended on
     * another thread.
     */
    void follow();
}
