package lockstep.send;

import java.util.ArrayList;
import java.util.List;
import lockstep.transport.api.DownstreamStandby;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message.DownstreamStatus;
import lockstep.transport.api.MessageCodec;

/**
 * All standbys below a server, as far as it has heard of them: each one tells it which standbys it serves itself. From that
 * both is made, what this server shows, and what it tells its own upstream, if it is a standby too.
 *
 * <p>Only positions travel up the tree, no lags: whoever shows them compares them with its own log and its own clock. So a
 * standby that stands still falls behind at the top even if everything between has fallen silent as well; and clocks need
 * not agree.
 */
final class StandbyTree {
    /** What an entry follows that follows the server whose list it is. */
    static final int TOP = -1;

    private StandbyTree() {}

    /**
     * A standby that a server serves itself, and all below it.
     *
     * @param standby the entry for it, which follows nobody in a list
     * @param below what it said of those that it serves
     */
    record Branch(DownstreamStandby standby, DownstreamStatus below) {}

    /** Returns the tree as a list, in which each standby comes before those that it serves. */
    static List<StandbyNode> view(List<Branch> branches, long flushedLsn, FlushTimes times, long now) {
        List<StandbyNode> nodes = new ArrayList<>();
        for (Branch branch : branches) {
            DownstreamStatus below = branch.below();
            nodes.add(node(branch.standby(), "", 1, below.omitted(), flushedLsn, times, now));
            int[] depths = new int[below.standbys().size()];
            for (int i = 0; i < depths.length; i++) {
                DownstreamStandby standby = below.standbys().get(i);
                int upstream = standby.upstream();
                depths[i] = 1 + (upstream == TOP ? 1 : depths[upstream]);
                String name = upstream == TOP
                        ? branch.standby().name()
                        : below.standbys().get(upstream).name();
                nodes.add(node(standby, name, depths[i], 0, flushedLsn, times, now));
            }
        }
        return nodes;
    }

    private static StandbyNode node(
            DownstreamStandby standby,
            String upstream,
            int depth,
            int omitted,
            long flushedLsn,
            FlushTimes times,
            long now) {
        return new StandbyNode(
                standby.name(),
                upstream,
                depth,
                standby.state(),
                standby.sentLsn(),
                standby.writtenLsn(),
                standby.flushedLsn(),
                standby.appliedLsn(),
                bytesBehind(standby.flushedLsn(), flushedLsn),
                microsBehind(standby.flushedLsn(), times, now),
                bytesBehind(standby.appliedLsn(), flushedLsn),
                microsBehind(standby.appliedLsn(), times, now),
                omitted);
    }

    private static long bytesBehind(long lsn, long flushedLsn) {
        return lsn == Lsn.INVALID ? -1 : Math.max(0, flushedLsn - lsn);
    }

    private static long microsBehind(long lsn, FlushTimes times, long now) {
        return lsn == Lsn.INVALID ? -1 : times.microsBehind(lsn, now);
    }

    /** Returns what a server with this id tells its upstream. */
    static DownstreamStatus status(long serverId, List<Branch> branches) {
        List<DownstreamStandby> standbys = new ArrayList<>();
        int omitted = 0;
        for (Branch branch : branches) {
            DownstreamStatus below = branch.below();
            int room = MessageCodec.MAX_DOWNSTREAM_STANDBYS - standbys.size();
            omitted += below.omitted() + Math.max(0, 1 + below.standbys().size() - room);
            if (room == 0) {
                continue;
            }
            int at = standbys.size();
            standbys.add(branch.standby());
            for (DownstreamStandby standby : below.standbys()
                    .subList(0, Math.min(room - 1, below.standbys().size()))) {
                standbys.add(under(at, standby));
            }
        }
        return new DownstreamStatus(serverId, omitted, standbys);
    }

    /** Moves an entry of another server's list into one in which that server itself stands at {@code at}. */
    private static DownstreamStandby under(int at, DownstreamStandby standby) {
        return new DownstreamStandby(
                standby.upstream() == TOP ? at : at + 1 + standby.upstream(),
                standby.serverId(),
                standby.name(),
                standby.state(),
                standby.sentLsn(),
                standby.writtenLsn(),
                standby.flushedLsn(),
                standby.appliedLsn());
    }
}
