package lockstep.transports;

/**
 * A transport has been changed, or a standby has changed its transport.
 *
 * @param what for people
 * @param pauseMicros for how long no commit was released while one waited; -1 on a server that takes no commits
 * @param releases how often commits were released meanwhile; 0 says that the pause tells nothing
 * @param isPaused whether the pause goes on
 */
public record Swap(String what, long pauseMicros, long releases, boolean isPaused) {}
