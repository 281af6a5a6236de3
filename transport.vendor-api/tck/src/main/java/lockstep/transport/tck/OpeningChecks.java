package lockstep.transport.tck;

import static lockstep.transport.tck.Messages.numbered;
import static lockstep.transport.tck.Messages.wal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Message;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.TransportException;
import org.junit.jupiter.api.Test;

/** Doors and sessions are opened, any number of them, and what cannot be opened is told in words that help. */
interface OpeningChecks extends Checks {
    @Test
    default void theSchemeIsThatOfTheEndpointsInLowerCase() {
        String scheme = ends().server().scheme();
        assertEquals(scheme, ends().client().scheme());
        assertEquals(scheme, scheme.toLowerCase(Locale.ROOT));
        assertEquals(scheme, ends().listener().endpoint().scheme());
        assertEquals(scheme, ends().anywhere().scheme());
    }

    @Test
    default void theListenerTellsWhereItIsReached() throws Exception {
        Endpoint endpoint = ends().listener().endpoint();
        assertNotEquals(0, endpoint.uri().getPort(), "the port that was taken, not the 0 that was asked for");
        assertEquals(endpoint, ends().listener().endpoint());
        ends().connect(endpoint);
        ends().accepted();
    }

    @Test
    default void bothPeersAreNamedForTheLifeOfTheSession() throws Exception {
        Ends.Link link = ends().link();
        for (RecordingHandler side : List.of(link.client(), link.server())) {
            Peer peer = side.session().peer();
            assertFalse(peer.address().isBlank());
        }
        assertEquals(ends().identity(), link.client().session().peer().identity());
        assertEquals(ends().clientIdentity(), link.server().session().peer().identity());
        Peer before = link.client().session().peer();
        link.client().session().send(numbered(1));
        link.server().next();
        link.server().session().close("done");
        link.client().cause();
        link.server().cause();
        assertEquals(before, link.client().session().peer());
    }

    @Test
    default void thePeerIsKnownToTheAcceptor() throws Exception {
        CompletableFuture<Peer> peer = new CompletableFuture<>();
        Listener door = ends().listen(session -> {
            peer.complete(session.peer());
            return ends().accept(session);
        });
        ends().connect(door.endpoint());
        assertEquals(ends().accepted().session().peer(), peer.join());
        assertEquals(ends().clientIdentity(), peer.join().identity());
    }

    @Test
    default void sessionsAtTheSameTimeDoNotMix() throws Exception {
        int count = 8;
        List<Ends.Link> links = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            links.add(ends().link());
        }
        List<CompletableFuture<Void>> sending = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Session session = links.get(i).client().session();
            long base = i * 1000L;
            sending.add(CompletableFuture.runAsync(() -> {
                for (int k = 0; k < 200; k++) {
                    session.send(wal(base + k, 1000));
                }
            }));
        }
        for (int i = 0; i < count; i++) {
            for (int k = 0; k < 200; k++) {
                assertEquals(wal(i * 1000L + k, 1000), links.get(i).server().next());
            }
            sending.get(i).get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
        }
    }

    @Test
    default void manyMayConnectAtTheSameTime() throws Exception {
        int count = 16;
        List<CompletableFuture<RecordingHandler>> connecting = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int number = i;
            CompletableFuture<RecordingHandler> opened = new CompletableFuture<>();
            connecting.add(opened);
            Thread thread = new Thread(
                    () -> {
                        try {
                            RecordingHandler there = ends().connect();
                            there.session().send(numbered(number));
                            opened.complete(there);
                        } catch (Throwable e) {
                            opened.completeExceptionally(e);
                        }
                    },
                    "junit-connecting");
            thread.start();
        }
        List<Message> heard = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            heard.add(ends().accepted().next());
        }
        for (int i = 0; i < count; i++) {
            assertTrue(heard.contains(numbered(i)));
            assertFalse(connecting
                    .get(i)
                    .get(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS)
                    .isClosed());
        }
    }

    @Test
    default void aTransportMayListenAndConnectAndHaveSeveralDoors() throws Exception {
        Listener other = ends().listen(ends()::accept);
        assertNotEquals(ends().listener().endpoint(), other.endpoint());
        RecordingHandler there = new RecordingHandler();
        there.on(ends().server().connect(other.endpoint(), there)).session().send(numbered(1));
        assertEquals(numbered(1), ends().accepted().next());
        other.close();
        ends().link().client().session().send(numbered(2));
    }

    @Test
    default void aThousandSessionsInARowWork() throws Exception {
        for (int i = 0; i < ends().reconnects(); i++) {
            Ends.Link link = ends().link();
            link.client().session().send(numbered(i));
            assertEquals(numbered(i), link.server().next());
            (i % 2 == 0 ? link.client() : link.server()).session().close("next");
            link.client().cause();
            link.server().cause();
        }
    }

    @Test
    default void aClosedListenerLetsNobodyIn() throws Exception {
        Endpoint endpoint = ends().listener().endpoint();
        ends().listener().close();
        ends().listener().close();
        assertThrows(TransportException.class, () -> ends().connect(endpoint));
        assertFalse(ends().hasAccepted());
    }

    @Test
    default void aClosedListenerKeepsItsSessions() throws Exception {
        Ends.Link link = ends().link();
        ends().listener().close();
        link.client().session().send(numbered(1));
        assertEquals(numbered(1), link.server().next());
        link.server().session().send(numbered(2));
        assertEquals(numbered(2), link.client().next());
    }

    @Test
    default void whereAListenerWasAnotherCanBe() throws Exception {
        Endpoint endpoint = ends().listener().endpoint();
        Ends.Link old = ends().link();
        for (int i = 0; i < 5; i++) {
            ends().listener().close();
            ends().listenAgain(endpoint);
            assertEquals(endpoint, ends().listener().endpoint());
        }
        ends().link().client().session().send(numbered(1));
        old.client().session().send(numbered(2));
        assertEquals(numbered(2), old.server().next());
    }

    @Test
    default void whoListensWhereSomebodyListensIsToldWhere() throws Exception {
        Endpoint taken = ends().listener().endpoint();
        TransportException e =
                assertThrows(TransportException.class, () -> ends().client().listen(taken, ends()::accept));
        assertTrue(e.getMessage().contains(taken.toString()), e.getMessage());
        ends().link();
    }

    @Test
    default void whoFindsNobodyIsToldWhereAndHearsNothingMore() throws Exception {
        RecordingHandler handler = new RecordingHandler();
        Endpoint nowhere = ends().nowhere();
        TransportException e =
                assertThrows(TransportException.class, () -> ends().client().connect(nowhere, handler));
        assertTrue(e.getMessage().contains(nowhere.toString()), e.getMessage());
        ends().withdrawClient();
        assertFalse(handler.isClosed());
    }

    @Test
    default void anEndpointOfAnotherTransportIsRefusedByName() {
        Endpoint foreign = Endpoint.parse("no-such-scheme://?");
        for (var refusal : List.of(
                assertThrows(TransportException.class, () -> ends().connect(foreign)),
                assertThrows(TransportException.class, () -> ends().server().listen(foreign, ends()::accept)))) {
            assertTrue(refusal.getMessage().contains(foreign.toString()), refusal.getMessage());
        }
    }

    @Test
    default void anAcceptorThatThrowsLosesThatSessionOnly() throws Exception {
        Listener door = ends().listen(session -> {
            throw new IllegalStateException("told to");
        });
        RecordingHandler there = new RecordingHandler();
        try {
            ends().client().connect(door.endpoint(), there);
            there.cause();
        } catch (TransportException e) {
            assertFalse(there.isClosed());
        }
        ends().link().client().session().send(numbered(1));
    }
}
