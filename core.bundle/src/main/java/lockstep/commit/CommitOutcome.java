package lockstep.commit;

/** What a commit got, which may differ from what it asked for. Immutable; as text it is such as {@code REPLICATED(on)}. */
public sealed interface CommitOutcome {
    /** Returns {@code REPLICATED}, {@code LOCAL_ONLY} or {@code IN_DOUBT}. */
    String kind();

    /** Returns the level reached, or the reason why none is. */
    String detail();

    /** It is as safe as it asked to be. */
    record Replicated(CommitLevel level) implements CommitOutcome {
        @Override
        public String kind() {
            return "REPLICATED";
        }

        @Override
        public String detail() {
            return level.parameterValue();
        }

        @Override
        public String toString() {
            return text(this);
        }
    }

    /**
     * It was released with less than it asked for, in degraded mode or by an operator: it is on the primary's disk, and may be
     * lost with it.
     *
     * @param detail why the server is degraded and to what, or who released it, for people
     */
    record LocalOnly(String detail) implements CommitOutcome {
        @Override
        public String kind() {
            return "LOCAL_ONLY";
        }

        @Override
        public String toString() {
            return text(this);
        }
    }

    /**
     * Nobody waits for it any more. It may still be released, and become visible, later.
     *
     * @param detail who gave up and why, for people
     */
    record InDoubt(String detail) implements CommitOutcome {
        @Override
        public String kind() {
            return "IN_DOUBT";
        }

        @Override
        public String toString() {
            return text(this);
        }
    }

    private static String text(CommitOutcome outcome) {
        return outcome.kind() + '(' + outcome.detail() + ')';
    }
}
