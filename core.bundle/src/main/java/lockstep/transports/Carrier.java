package lockstep.transports;

import java.util.List;
import lockstep.transport.api.Transport;
import org.osgi.annotation.versioning.ProviderType;

/**
 * A transport as the server uses it, an OSGi service for as long as that of the transport is there. Does what a {@link Transport}
 * promises also where the transport behind it does not: nothing it does takes longer than it may, throws what it may not, or
 * reaches those who use another.
 */
@ProviderType
public interface Carrier extends Transport {
    /** Returns how it is. */
    CarrierView view();

    /** Returns its open sessions. */
    List<LinkView> links();
}
