package lockstep.transports;

/**
 * How a transport is.
 *
 * @param scheme what it serves
 * @param bundle the symbolic name of the bundle it is from
 * @param bundleId the number of that bundle
 * @param version the version of that bundle
 * @param state what the framework says of that bundle, such as {@code active}
 * @param sessions how many are open
 * @param sentBytes how much has been sent since it was here, in frames of the codec
 * @param receivedBytes how much has come
 * @param lastError what went wrong last; empty if nothing has
 */
public record CarrierView(
        String scheme,
        String bundle,
        long bundleId,
        String version,
        String state,
        int sessions,
        long sentBytes,
        long receivedBytes,
        String lastError) {}
