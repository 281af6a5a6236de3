package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A PostgreSQL standby that gets all its WAL through two Lockstep servers:
 *
 * <pre>
 *   PostgreSQL primary ──postgresql──▶ near ──tcp or ssh──▶ far ──postgresql──▶ PostgreSQL standby
 * </pre>
 *
 * Clients of the primary write down what they were told is committed. Each part is made to fail under their load; afterwards the
 * standby has the primary's tables. In the end the primary is gone, and what clients were told is on the standby.
 */
final class PostgresRelayIT {
    private static final String RETRY = "wal_retrieve_retry_interval=100ms";
    private static final int CLIENTS = 4;
    private static final int SECONDS = 2;
    private static final List<String> TABLES =
            List.of("pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history", "acked");

    /** What pgbench does by default, with a row that says which of which client's transactions it was. */
    private static final List<String> TRANSACTION = List.of(
            "\\set n :n + 1",
            "\\set aid random(1, 100000)",
            "\\set tid random(1, 10)",
            "\\set delta random(-5000, 5000)",
            "begin;",
            "update pgbench_accounts set abalance = abalance + :delta where aid = :aid;",
            "update pgbench_tellers set tbalance = tbalance + :delta where tid = :tid;",
            "insert into pgbench_history (tid, bid, aid, delta, mtime) values (:tid, 1, :aid, :delta, now());",
            "insert into acked values (:run, :client_id, :n);",
            "end;");

    @TempDir
    private Path folder;

    private final Set<String> acked = new HashSet<>();
    private PostgresServer primary;
    private ServerProcess near;
    private ServerProcess far;
    private PostgresServer standby;
    private int farPort;
    private int runs;

    @AfterEach
    void stop() throws IOException {
        for (ServerProcess server : new ServerProcess[] {far, near}) {
            if (server != null) {
                server.close();
            }
        }
        for (PostgresServer server : new PostgresServer[] {standby, primary}) {
            if (server != null) {
                server.close();
            }
        }
    }

    @Test
    void eachPartMayCrashAndCommitsThatWaitForBothHopsAreOnTheStandby() throws IOException {
        int port = Pair.freePort();
        try (TcpProxy network = new TcpProxy(port)) {
            startPrimary();
            near = near("--listen", Pair.endpoint(port), "--set", "relay_ack=downstream")
                    .start();
            awaitStreaming(near);
            far = far(Pair.endpoint(network.port()), "--set", "relay_ack=downstream")
                    .start();
            awaitStreaming(far);
            startStandby(List.of());

            surviveLoss(far::kill, far::start);
            surviveLoss(near::kill, near::start);
            surviveLoss(standby::kill, standby::start);
            survive(network::cut);
            survive(() -> {
                primary.kill();
                primary.start();
            });
            losePrimary();
            standby.promote();
            assertAcked();
        }
    }

    @Test
    void acrossTwoMachinesOverSshWhateverTheFirstHopAcknowledgedReachesTheStandby() throws IOException {
        assumeTrue(System.getProperty("user.name").equals("root"), "only root can make a network namespace");
        try (NetworkNamespace there = NetworkNamespace.make();
                Sshd keys = new Sshd(folder)) {
            int port = Pair.freePort();
            String endpoint = "ssh://" + there.ourAddress() + ":" + port;
            startPrimary();
            near = near("--listen", endpoint).start();
            awaitStreaming(near);
            Path ssh = near.directory().resolve("ssh");
            near.await(() -> Files.exists(ssh.resolve("host_key.pub")));
            keys.trust(there.ourAddress(), port, ssh.resolve("host_key.pub"));
            Files.copy(keys.publicKey(), ssh.resolve("authorized_keys"));
            List<String> settings = new ArrayList<>();
            keys.settings().forEach(setting -> settings.addAll(List.of("--set", setting)));
            far = far(endpoint, settings.toArray(String[]::new))
                    .inside(there.inside())
                    .start();
            awaitStreaming(far);
            startStandby(there.inside());

            survive(() -> {
                there.cut();
                insert(primary, "no commit waits for the second hop").join();
                there.mend();
            });
            survive(() -> {
                near.kill();
                near.start();
            });
            losePrimary();
            long endLsn = near.askLsn("flush_lsn", "status");
            far.await(() -> far.askLsn("flush_lsn", "status") >= endLsn);
            far.await(() -> ServerProcess.lsn(standby.sql("select pg_last_wal_receive_lsn()")) >= endLsn);
            standby.promote();
            assertAcked();
        }
    }

    // The parts.

    private void startPrimary() throws IOException {
        primary = PostgresServer.create("synchronous_standby_names = 's1'", "synchronous_commit = local");
        assertEquals(0, primary.pgbench("-i", "-q", "postgres").join().status());
        primary.sql("create table acked (run int, client int, n int, note text)");
        Files.write(primary.home().resolve("transaction"), TRANSACTION);
    }

    private ServerProcess near(String... options) {
        String from = "postgresql://postgres@127.0.0.1:" + primary.port() + "/?application_name=s1";
        List<String> all = new ArrayList<>(List.of("--slot", "lockstep", "--create-slot", "--set", RETRY));
        all.addAll(List.of(options));
        return ServerProcess.standby(folder.resolve("near"), from, all.toArray(String[]::new));
    }

    private ServerProcess far(String from, String... options) {
        farPort = Pair.freePort();
        List<String> all = new ArrayList<>(
                List.of("--name", "far", "--listen", "postgresql://127.0.0.1:" + farPort, "--set", RETRY));
        all.addAll(List.of(options));
        return ServerProcess.standby(folder.resolve("far"), from, all.toArray(String[]::new));
    }

    private static void awaitStreaming(ServerProcess server) {
        server.await(() -> server.ask("receiver", "status").isEmpty()
                || server.ask("receiver", "status").equals("streaming"));
    }

    private void startStandby(List<String> place) throws IOException {
        standby = primary.standbyOf(place, farPort, "s2", "-X", "none");
        primary.sql("alter system set synchronous_commit = on");
        primary.sql("select pg_reload_conf()");
    }

    // Load, and what goes wrong under it.

    /** Something that may fail. */
    private interface Event {
        void happen() throws IOException;
    }

    private static CompletableFuture<Result> insert(PostgresServer into, String note) {
        return into.begin("insert into acked values (0, 0, 0, '" + note + "')");
    }

    /** Something fails without which no commit can be acknowledged, under load, and comes back. */
    private void surviveLoss(Event loss, Event end) throws IOException {
        survive(() -> {
            loss.happen();
            CompletableFuture<Result> waits = insert(primary, "waits for both hops");
            near.await(primary::isWaitedFor);
            end.happen();
            assertEquals(0, waits.join().status(), () -> waits.join().toString());
        });
    }

    /** Something happens under load, after which all is as before. */
    private void survive(Event event) throws IOException {
        load(event);
        String endLsn = primary.sql("select pg_current_wal_flush_lsn()");
        near.await(() -> standby.sql("select pg_last_wal_replay_lsn() >= '" + endLsn + "'")
                .equals("t"));
        for (String table : TABLES) {
            String content = "select count(*), md5(string_agg(t::text, ' ' order by t::text)) from " + table + " t";
            assertEquals(primary.sql(content), standby.sql(content), table);
        }
        assertAcked();
    }

    /** The primary is lost, with its disk, under load. */
    private void losePrimary() throws IOException {
        load(() -> primary.kill());
        Path home = primary.home();
        primary.close();
        assertTrue(Files.notExists(home));
    }

    private void load(Event event) throws IOException {
        int run = ++runs;
        CompletableFuture<Result> load = primary.pgbench(
                "-n",
                "-f",
                primary.home().resolve("transaction").toString(),
                "-D",
                "n=0",
                "-D",
                "run=" + run,
                "-c",
                "" + CLIENTS,
                "-T",
                "" + SECONDS,
                "-l",
                "--log-prefix=" + primary.home().resolve("run" + run),
                "postgres");
        near.await(() -> load.isDone()
                || !primary.sql("select 1 from acked where run = " + run + " limit 1")
                        .isEmpty());
        event.happen();
        load.join();
        try (DirectoryStream<Path> logs = Files.newDirectoryStream(primary.home(), "run" + run + ".*")) {
            for (Path log : logs) {
                for (String line : Files.readAllLines(log)) {
                    String[] words = line.split(" ", 3);
                    acked.add(run + " " + words[0] + " " + words[1]);
                }
            }
        }
        assertTrue(acked.stream().anyMatch(transaction -> transaction.startsWith(run + " ")), load.join()::toString);
    }

    /** What clients of the primary were told is committed, is on the standby. */
    private void assertAcked() {
        Set<String> missing = new HashSet<>(acked);
        standby.sql("select run || ' ' || client || ' ' || n from acked")
                .lines()
                .forEach(missing::remove);
        assertEquals(Set.of(), missing);
    }
}
