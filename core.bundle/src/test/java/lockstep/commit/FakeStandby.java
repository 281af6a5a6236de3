package lockstep.commit;

/** A standby that is wherever a test puts it. */
final class FakeStandby implements StandbyProgress {
    final String name;
    boolean streaming = true;
    String obstacle = "";
    long writtenLsn;
    long flushedLsn;
    long appliedLsn;

    FakeStandby(String name) {
        this.name = name;
    }

    /** It has written, flushed and applied all before a position. */
    FakeStandby at(long lsn) {
        return at(lsn, lsn, lsn);
    }

    FakeStandby at(long written, long flushed, long applied) {
        writtenLsn = written;
        flushedLsn = flushed;
        appliedLsn = applied;
        return this;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public boolean isStreaming() {
        return streaming;
    }

    @Override
    public String obstacle() {
        return obstacle;
    }

    @Override
    public long writtenLsn() {
        return writtenLsn;
    }

    @Override
    public long flushedLsn() {
        return flushedLsn;
    }

    @Override
    public long appliedLsn() {
        return appliedLsn;
    }

    @Override
    public long reachedNanos(CommitLevel level, long lsn, long otherwise) {
        return otherwise;
    }
}
