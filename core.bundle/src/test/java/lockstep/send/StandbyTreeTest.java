package lockstep.send;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import lockstep.send.StandbyTree.Branch;
import lockstep.transport.api.DownstreamStandby;
import lockstep.transport.api.Message.DownstreamStatus;
import lockstep.transport.api.MessageCodec;
import org.junit.jupiter.api.Test;

class StandbyTreeTest {
    private static final int TOP = StandbyTree.TOP;

    private static DownstreamStandby standby(int upstream, String name, long lsn) {
        return new DownstreamStandby(upstream, name.hashCode(), name, "streaming", lsn, lsn, lsn, lsn);
    }

    private static DownstreamStatus below(DownstreamStandby... standbys) {
        return new DownstreamStatus(1, 0, List.of(standbys));
    }

    private static String outline(List<Branch> branches) {
        List<String> lines = new ArrayList<>();
        for (StandbyNode node : StandbyTree.view(branches, 100, new FlushTimes(), 0)) {
            lines.add(node.depth() + " " + node.applicationName() + "<" + node.upstream());
        }
        return String.join(", ", lines);
    }

    /** What a server shows that the one with these branches follows. */
    private static String outlineAbove(String name, List<Branch> branches) {
        return outline(List.of(new Branch(standby(TOP, name, 100), StandbyTree.status(9, branches))));
    }

    @Test
    void eachStandbyComesAfterTheOneThatServesIt() {
        List<Branch> branches = List.of(
                new Branch(
                        standby(TOP, "r1", 100),
                        below(standby(TOP, "a", 90), standby(TOP, "r2", 90), standby(1, "b", 80))),
                new Branch(standby(TOP, "s", 100), below()));
        assertEquals("1 r1<, 2 a<r1, 2 r2<r1, 3 b<r2, 1 s<", outline(branches));
        assertEquals("1 top<, 2 r1<top, 3 a<r1, 3 r2<r1, 4 b<r2, 2 s<top", outlineAbove("top", branches));
    }

    @Test
    void lagIsMeasuredFromTheTop() {
        FlushTimes times = new FlushTimes();
        times.flushed(100, 0);
        times.flushed(180, 1_000_000);
        List<StandbyNode> nodes = StandbyTree.view(
                List.of(new Branch(standby(TOP, "r", 180), below(standby(TOP, "leaf", 100), standby(TOP, "new", 0)))),
                180,
                times,
                4_000_000);
        assertEquals(0, nodes.get(0).replayLagBytes());
        assertEquals(0, nodes.get(0).replayLagMicros());
        assertEquals(80, nodes.get(1).flushLagBytes());
        assertEquals(3_000, nodes.get(1).replayLagMicros());
        assertEquals(-1, nodes.get(2).replayLagBytes());
        assertEquals(-1, nodes.get(2).replayLagMicros());
    }

    @Test
    void aReportHasRoomForSoManyAndSaysHowManyItLeavesOut() {
        DownstreamStandby[] many = new DownstreamStandby[200];
        for (int i = 0; i < many.length; i++) {
            many[i] = standby(i - 1, "s" + i, 100);
        }
        DownstreamStatus status = StandbyTree.status(
                9,
                List.of(
                        new Branch(standby(TOP, "r1", 100), below(many)),
                        new Branch(standby(TOP, "r2", 100), below(many)),
                        new Branch(standby(TOP, "r3", 100), new DownstreamStatus(1, 5, List.of()))));
        assertEquals(MessageCodec.MAX_DOWNSTREAM_STANDBYS, status.standbys().size());
        assertEquals(2 * 201 - MessageCodec.MAX_DOWNSTREAM_STANDBYS + 1 + 5, status.omitted());
        assertEquals(201, status.standbys().get(202).upstream());
        List<StandbyNode> nodes =
                StandbyTree.view(List.of(new Branch(standby(TOP, "r", 100), status)), 100, new FlushTimes(), 0);
        assertEquals(status.omitted(), nodes.get(0).omitted());
    }
}
