package lockstep.retention;

import lockstep.transport.api.Message.RefusalCode;

/** A replication slot cannot be had; the message says why, and what to do. */
public final class SlotException extends Exception {
    private static final long serialVersionUID = 1L;

    private final RefusalCode code;

    /** Says how a standby is refused that asks for the slot, and why in words. */
    public SlotException(RefusalCode code, String message) {
        super(message);
        this.code = code;
    }

    /** Returns how a standby that asked for the slot is refused. */
    public RefusalCode code() {
        return code;
    }
}
