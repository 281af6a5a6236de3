package lockstep.transport.api;

/**
 * One life of one primary: the timeline that it writes, and the epoch that it has opened there. Whoever has heard of a term tells
 * it wherever it asks for WAL, so that a primary learns that there is, or was, another beside it.
 *
 * <p>Timelines count promotions, so the higher one is the newer one. On one timeline a primary that opens an epoch gives it a number
 * past all it knows, at a random distance; so two servers that went on from copies of one log have different terms, though neither
 * knows of the other. Which of these is the greater says nothing: only the log tells which epochs are its own.
 *
 * @param timeline the timeline; 0 for none
 * @param epoch the number of the epoch; 0 if only the timeline is known
 */
public record Term(int timeline, int epoch) implements Comparable<Term> {
    /** That of nobody. */
    public static final Term NONE = new Term(0, 0);

    /** Checks that there is no negative number. */
    public Term {
        if (timeline < 0 || epoch < 0) {
            throw new IllegalArgumentException("there is no term " + timeline + '/' + epoch);
        }
    }

    /**
     * Reads the form that {@link #toString} writes.
     *
     * @throws IllegalArgumentException if it is not that
     */
    public static Term parse(String text) {
        String[] parts = text.strip().split("/", -1);
        try {
            if (parts.length == 2) {
                return new Term(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]));
            }
        } catch (NumberFormatException e) {
            // The message below says it.
        }
        throw new IllegalArgumentException("\"" + text + "\" is no term: expected TIMELINE/EPOCH, such as 1/3");
    }

    @Override
    public int compareTo(Term other) {
        int byTimeline = Integer.compare(timeline, other.timeline);
        return byTimeline != 0 ? byTimeline : Integer.compare(epoch, other.epoch);
    }

    /** Returns the text form, {@code TIMELINE/EPOCH}: the beginning of the receipts of commits that were made in it. */
    @Override
    public String toString() {
        return timeline + "/" + epoch;
    }
}
