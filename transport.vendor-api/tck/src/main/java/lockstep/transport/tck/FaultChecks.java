package lockstep.transport.tck;

import static lockstep.transport.tck.Messages.numbered;
import static lockstep.transport.tck.Messages.wal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import lockstep.transport.api.Message;
import org.junit.jupiter.api.Test;

/** The way between the ends damages, holds up and loses bytes; strangers call. Nothing false is ever delivered. */
interface FaultChecks extends Checks {
    @Test
    default void aFlippedBitIsNeverDelivered() throws Exception {
        assertNothingFalse(Wire.Damage.FLIP);
    }

    @Test
    default void lostBytesAreNeverPassedOver() throws Exception {
        assertNothingFalse(Wire.Damage.DROP);
    }

    @Test
    default void bytesThatComeTwiceAreNotDeliveredTwice() throws Exception {
        assertNothingFalse(Wire.Damage.DUPLICATE);
    }

    /** The session ends, and what came before is a prefix of what was sent; others never notice. */
    private void assertNothingFalse(Wire.Damage damage) throws Exception {
        Ends.Link other = ends().link();
        for (long position : new long[] {0, 3, 6, 9, 40, 5_000, 39_999}) {
            try (Wire wire = ends().wire()) {
                Ends.Link link = ends().link(wire);
                wire.damage(damage, position);
                int sent = 0;
                while (!link.server().isClosed() && !link.client().isClosed() && sent < 2000) {
                    if (link.client().session().isWritable()) {
                        link.client().session().send(wal(sent++, 1_000));
                    }
                }
                assertFalse(link.server().cause().isBlank());
                assertFalse(link.client().cause().isBlank());
                List<Message> heard = link.server().takeAll();
                int expected = 0;
                for (Message message : heard) {
                    assertEquals(wal(expected++, 1_000), message, damage + " after " + position + " bytes");
                }
                // What came twice may have been the last that was sent.
                assertTrue(
                        expected < sent || damage == Wire.Damage.DUPLICATE,
                        damage + " after " + position + " bytes went unnoticed");
            }
        }
        other.client().session().send(numbered(1));
        assertEquals(numbered(1), other.server().next());
    }

    @Test
    default void delayedBytesArriveWholeAndInOrder() throws Exception {
        try (Wire wire = ends().wire()) {
            wire.delay(2);
            Ends.Link link = ends().link(wire);
            for (int i = 0; i < 30; i++) {
                link.client().session().send(wal(i, 10_000));
                link.server().session().send(numbered(i));
            }
            for (int i = 0; i < 30; i++) {
                assertEquals(wal(i, 10_000), link.server().next());
                assertEquals(numbered(i), link.client().next());
            }
        }
    }

    @Test
    default void aCutEndsTheSessionOnBothSides() throws Exception {
        try (Wire wire = ends().wire()) {
            Ends.Link link = ends().link(wire);
            link.client().session().send(numbered(1));
            assertEquals(numbered(1), link.server().next());
            wire.cut();
            assertFalse(link.server().cause().isBlank());
            assertFalse(link.client().cause().isBlank());
        }
        ends().link();
    }

    @Test
    default void aCutUnderLoadLosesOnlyTheEnd() throws Exception {
        try (Wire wire = ends().wire()) {
            for (int round = 0; round < 5; round++) {
                Ends.Link link = ends().link(wire);
                int sent = 0;
                while (!link.client().isClosed() || !link.server().isClosed()) {
                    if (link.client().session().isWritable()) {
                        link.client().session().send(wal(sent++, 10_000));
                    }
                    if (sent == 20) {
                        wire.cut();
                    }
                }
                link.client().cause();
                link.server().cause();
                int expected = 0;
                for (Message message : link.server().takeAll()) {
                    assertEquals(wal(expected++, 10_000), message);
                }
            }
        }
    }

    @Test
    default void aPeerThatFallsSilentPushesBackAndLosesNothing() throws Exception {
        try (Wire wire = ends().wire()) {
            Ends.Link link = ends().link(wire);
            wire.stall();
            int sent = Pushing.fill(link.client().session());
            wire.resume();
            link.client().awaitWritable();
            for (int i = 0; i < sent; i++) {
                assertEquals(wal(i, Pushing.PIECE_BYTES), link.server().next());
            }
        }
    }

    @Test
    default void aPeerThatFallsSilentDoesNotHoldUpClosing() throws Exception {
        try (Wire wire = ends().wire()) {
            Ends.Link link = ends().link(wire);
            wire.stall();
            Pushing.fill(link.client().session());
            link.client().session().close("silence");
            assertEquals("silence", link.client().cause());
            link.server().session().close("silence here too");
            assertEquals("silence here too", link.server().cause());
        }
    }

    @Test
    default void aPeerThatFallsSilentDoesNotHoldUpWithdrawal() throws Exception {
        try (Wire wire = ends().wire()) {
            Ends.Link link = ends().link(wire);
            wire.stall();
            Pushing.fill(link.client().session());
            Pushing.fill(link.server().session());
            ends().withdraw();
            assertEquals(WithdrawalChecks.WITHDRAWN, link.client().causeNow());
            assertEquals(WithdrawalChecks.WITHDRAWN, link.server().causeNow());
        }
    }

    @Test
    default void whatStrangersSayIsNeverAMessageAndHarmsNobody() throws Exception {
        Ends.Link other = ends().link();
        byte[] noise = new byte[100_000];
        new Random(4).nextBytes(noise);
        List<byte[]> sayings = List.of(
                "GET / HTTP/1.1\r\nHost: lockstep\r\n\r\n".getBytes(StandardCharsets.US_ASCII),
                "SSH-2.0-OpenSSH_9.2\r\n".getBytes(StandardCharsets.US_ASCII),
                HexFormat.of().parseHex("16030100050100000100"),
                new byte[100_000],
                HexFormat.of().parseHex("FF".repeat(64)),
                noise);
        for (byte[] saying : sayings) {
            try (ByteChannel stranger = ends().stranger()) {
                stranger.write(ByteBuffer.wrap(saying));
            } catch (IOException e) {
                // The transport has hung up on the stranger: all the better.
            }
        }
        other.client().session().send(numbered(1));
        assertEquals(numbered(1), other.server().next());
        Ends.Link next = linkAmongStrangers();
        next.client().session().send(numbered(2));
        assertEquals(numbered(2), next.server().next());
    }

    @Test
    default void strangersWhoSayNothingHoldUpNobody() throws Exception {
        List<ByteChannel> strangers = new ArrayList<>();
        try {
            for (int i = 0; i < 20; i++) {
                strangers.add(ends().stranger());
            }
            Ends.Link link = linkAmongStrangers();
            link.client().session().send(numbered(1));
            assertEquals(numbered(1), link.server().next());
        } finally {
            for (ByteChannel stranger : strangers) {
                stranger.close();
            }
        }
    }

    /** A transport without a greeting accepts whoever calls, but hears no message of a stranger. */
    private Ends.Link linkAmongStrangers() throws Exception {
        RecordingHandler client = ends().connect();
        client.session().send(numbered(0));
        List<RecordingHandler> servers = new ArrayList<>();
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(RecordingHandler.PATIENCE_S);
        while (System.nanoTime() < deadline) {
            while (ends().hasAccepted()) {
                servers.add(ends().accepted());
            }
            for (RecordingHandler server : servers) {
                List<Message> heard = server.takeAll();
                if (!heard.isEmpty()) {
                    assertEquals(List.of(numbered(0)), heard);
                    return new Ends.Link(client, server);
                }
            }
            TimeUnit.MILLISECONDS.sleep(1);
        }
        return fail("among " + servers.size() + " sessions none heard the message of the one that is no stranger");
    }
}
