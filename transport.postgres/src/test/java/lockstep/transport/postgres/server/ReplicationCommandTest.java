package lockstep.transport.postgres.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.stream.Stream;
import lockstep.transport.postgres.server.ReplicationCommand.CreateSlot;
import lockstep.transport.postgres.server.ReplicationCommand.DropSlot;
import lockstep.transport.postgres.server.ReplicationCommand.IdentifySystem;
import lockstep.transport.postgres.server.ReplicationCommand.NotUnderstoodException;
import lockstep.transport.postgres.server.ReplicationCommand.ReadSlot;
import lockstep.transport.postgres.server.ReplicationCommand.Show;
import lockstep.transport.postgres.server.ReplicationCommand.StartReplication;
import lockstep.transport.postgres.server.ReplicationCommand.TimelineHistoryOf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

final class ReplicationCommandTest {
    static Stream<Arguments> commands() {
        return Stream.of(
                Arguments.of("IDENTIFY_SYSTEM", new IdentifySystem()),
                Arguments.of(" IDENTIFY_SYSTEM ; ", new IdentifySystem()),
                Arguments.of("SHOW wal_segment_size", new Show("wal_segment_size")),
                Arguments.of("TIMELINE_HISTORY 2", new TimelineHistoryOf(2)),
                Arguments.of("READ_REPLICATION_SLOT sl", new ReadSlot("sl")),
                Arguments.of("READ_REPLICATION_SLOT \"a \"\"b\"\"\"", new ReadSlot("a \"b\"")),
                Arguments.of("CREATE_REPLICATION_SLOT \"sl\" PHYSICAL", new CreateSlot("sl", false, false)),
                Arguments.of(
                        "CREATE_REPLICATION_SLOT \"pg_walreceiver_7\" TEMPORARY PHYSICAL RESERVE_WAL",
                        new CreateSlot("pg_walreceiver_7", true, true)),
                Arguments.of("CREATE_REPLICATION_SLOT s PHYSICAL (RESERVE_WAL)", new CreateSlot("s", false, true)),
                Arguments.of(
                        "CREATE_REPLICATION_SLOT s PHYSICAL (RESERVE_WAL false)", new CreateSlot("s", false, false)),
                Arguments.of("DROP_REPLICATION_SLOT \"sl\"", new DropSlot("sl")),
                Arguments.of("DROP_REPLICATION_SLOT SL WAIT", new DropSlot("sl")),
                Arguments.of("START_REPLICATION 0/2000000 TIMELINE 1", new StartReplication("", 0x2000000, 1)),
                Arguments.of("START_REPLICATION PHYSICAL 16/b374d848", new StartReplication("", 0x16b374d848L, 0)),
                Arguments.of(
                        "START_REPLICATION SLOT \"sl\" 0/2000000 TIMELINE 12",
                        new StartReplication("sl", 0x2000000, 12)));
    }

    @ParameterizedTest
    @MethodSource("commands")
    void whatClientsSendIsUnderstood(String text, ReplicationCommand command) throws NotUnderstoodException {
        assertEquals(command, ReplicationCommand.parse(text));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            identify_system                           | 0A000
            SELECT 1                                  | 0A000
            ''                                        | 0A000
            BASE_BACKUP (LABEL 'x')                   | 0A000
            CREATE_REPLICATION_SLOT s LOGICAL p       | 0A000
            START_REPLICATION SLOT s LOGICAL 0/0      | 0A000
            IDENTIFY_SYSTEM now                       | 42601
            IDENTIFY_SYSTEM; IDENTIFY_SYSTEM          | 42601
            SHOW                                      | 42601
            TIMELINE_HISTORY 0                        | 42601
            TIMELINE_HISTORY -1                       | 42601
            TIMELINE_HISTORY 9999999999               | 42601
            CREATE_REPLICATION_SLOT s                 | 42601
            CREATE_REPLICATION_SLOT s PHYSICAL (X)    | 42601
            CREATE_REPLICATION_SLOT s PHYSICAL (      | 42601
            READ_REPLICATION_SLOT "s                  | 42601
            START_REPLICATION SLOT 0/2000000          | 42601
            START_REPLICATION 123456789/0             | 42601
            START_REPLICATION 0/2000000 TIMELINE      | 42601
            """)
    void whatIsNoCommandIsRefusedWithPostgresqlsState(String text, String sqlState) {
        NotUnderstoodException refused =
                assertThrows(NotUnderstoodException.class, () -> ReplicationCommand.parse(text));
        assertEquals(sqlState, refused.report().sqlState());
    }
}
