package lockstep.transport.tck;

import static lockstep.transport.tck.Messages.numbered;
import static lockstep.transport.tck.Messages.wal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Session;
import lockstep.transport.api.TransportException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A transport that is withdrawn ends what it has opened, says so, and leaves nothing behind. */
interface WithdrawalChecks extends Checks {
    /** The cause that the contract prescribes. */
    String WITHDRAWN = "transport withdrawn";

    @Test
    default void withdrawalOfTheListeningSideEndsItsSessionsBeforeItReturns() throws Exception {
        List<Ends.Link> links = List.of(ends().link(), ends().link(), ends().link());
        links.get(0).server().session().send(numbered(1));
        ends().withdrawServer();
        for (Ends.Link link : links) {
            assertEquals(WITHDRAWN, link.server().causeNow());
        }
        assertEquals(numbered(1), links.get(0).client().next());
        for (Ends.Link link : links) {
            assertFalse(link.client().cause().isBlank());
        }
    }

    @Test
    default void withdrawalOfTheConnectingSideEndsItsSessionsBeforeItReturns() throws Exception {
        Ends.Link link = ends().link();
        ends().withdrawClient();
        assertEquals(WITHDRAWN, link.client().causeNow());
        assertFalse(link.server().cause().isBlank());
    }

    @Test
    default void afterWithdrawalNothingCanBeOpened() throws Exception {
        Endpoint endpoint = ends().listener().endpoint();
        ends().withdrawServer();
        assertThrows(TransportException.class, () -> ends().connect(endpoint));
        assertThrows(TransportException.class, () -> ends().listen(ends()::accept));
        ends().withdrawClient();
        assertThrows(TransportException.class, () -> ends().connect(endpoint));
        ends().listener().close();
    }

    @Test
    default void theNextTransportListensWhereAWithdrawnOneDid() throws Exception {
        Endpoint endpoint = ends().listener().endpoint();
        for (int i = 0; i < 3; i++) {
            Ends.Link link = ends().link();
            ends().withdraw();
            assertEquals(WITHDRAWN, link.client().causeNow());
            ends().openAgain(endpoint);
        }
        ends().link();
    }

    @Test
    default void withdrawalUnderLoadEndsSessionsAtOnceWithItsCause() throws Exception {
        for (int round = 0; round < 10; round++) {
            Ends.Link link = ends().link();
            CountDownLatch flowing = new CountDownLatch(10);
            Session session = link.client().session();
            CompletableFuture<Void> sending = CompletableFuture.runAsync(() -> {
                while (!link.client().isClosed()) {
                    if (session.isWritable()) {
                        session.send(wal(1, 5000));
                        flowing.countDown();
                    }
                    link.server().takeAll();
                }
            });
            flowing.await();
            if (round % 2 == 0) {
                ends().withdrawClient();
                assertEquals(WITHDRAWN, link.client().causeNow());
            } else {
                ends().withdrawServer();
                assertEquals(WITHDRAWN, link.server().causeNow());
            }
            sending.get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
            link.client().cause();
            link.server().cause();
            ends().withdraw();
            ends().open();
        }
    }

    @Test
    default void whoConnectsDuringWithdrawalIsRefusedOrClosed() throws Exception {
        for (int round = 0; round < 20; round++) {
            Endpoint endpoint = ends().listener().endpoint();
            List<RecordingHandler> opened = new ArrayList<>();
            CountDownLatch first = new CountDownLatch(1);
            CompletableFuture<Void> connecting = CompletableFuture.runAsync(() -> {
                try {
                    while (true) {
                        opened.add(ends().connect(endpoint));
                        first.countDown();
                    }
                } catch (TransportException e) {
                    first.countDown();
                }
            });
            first.await();
            ends().withdrawClient();
            connecting.get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
            for (RecordingHandler each : opened) {
                each.cause();
            }
            ends().withdraw();
            while (ends().hasAccepted()) {
                ends().accepted().cause();
            }
            ends().open();
        }
    }

    @Test
    @Tag(Resources.WHOLE_PROCESS)
    default void withdrawalLeavesNoThreadDescriptorOrDirectMemory() throws Exception {
        useAndWithdraw();
        Resources before = Resources.now();
        long directBytes = Resources.settledDirectBytes();
        for (int i = 0; i < 10; i++) {
            useAndWithdraw();
            before.assertNothingMore();
        }
        Resources.assertDirectBytes(directBytes);
        ends().open();
    }

    private void useAndWithdraw() throws Exception {
        ends().withdraw();
        ends().open();
        Ends.Link link = ends().link();
        Ends.Link closed = ends().link();
        closed.server().session().close("done");
        Pushing.send(link.client(), 50);
        link.server().session().send(numbered(1));
        link.client().next();
        Endpoint nowhere = ends().nowhere();
        assertThrows(TransportException.class, () -> ends().connect(nowhere));
        assertThrows(
                TransportException.class,
                () -> ends().client().listen(ends().listener().endpoint(), ends()::accept));
        ends().withdraw();
    }
}
