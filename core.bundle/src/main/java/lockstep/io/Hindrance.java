package lockstep.io;

/** Says what keeps a server from its work as long as it is not ready ({@link Readiness}). An OSGi service. */
@FunctionalInterface
public interface Hindrance {
    /** Returns what that is, for people; empty if nothing does and the server is only on its way. */
    String reason();
}
