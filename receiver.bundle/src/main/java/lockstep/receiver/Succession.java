package lockstep.receiver;

import lockstep.transport.api.Message.SwitchoverAnswer;

/** What a primary that wants to hand over hears of this standby, and what follows when it does. */
interface Succession {
    /**
     * Answers whether this standby could become a primary now. Changes nothing, and waits for nothing.
     *
     * @param primaryName what the primary would call itself as a standby
     */
    SwitchoverAnswer answer(String primaryName);

    /**
     * Has this standby become a primary soon: it has all WAL of the present one, which has ended.
     *
     * @return whether it tries to; not if a promotion is under way already, which may come to nothing
     */
    boolean takeOver();
}
