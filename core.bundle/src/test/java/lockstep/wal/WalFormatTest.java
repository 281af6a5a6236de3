package lockstep.wal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WalFormatTest {
    private static final WalLayout LAYOUT = new WalLayout(1 << 20);

    /** A page with a header alone, as a server of that version writes it at the start of a segment. */
    private static ByteBuffer page(WalFormat format) {
        ByteBuffer page = ByteBuffer.allocate(PageHeader.LONG_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        PageHeader.write(page, 0, LAYOUT, 7, 1, LAYOUT.segmentBytes(), 0);
        return page.putShort(0, (short) format.magic());
    }

    private static WalChecker checker(WalFormat format) {
        return new WalChecker(
                new WalIdentity(7, TimelineHistory.of(1), LAYOUT, format), LAYOUT.segmentBytes(), WalReader.UNKNOWN);
    }

    @ParameterizedTest
    @EnumSource
    void theLogOfAVersionHasPagesOfThatVersionAlone(WalFormat format) throws WalCorruptionException {
        checker(format).accept(LAYOUT.segmentBytes(), page(format));
        WalFormat other = format == WalFormat.POSTGRESQL_16 ? WalFormat.POSTGRESQL_14 : WalFormat.POSTGRESQL_16;
        WalCorruptionException refused = assertThrows(
                WalCorruptionException.class, () -> checker(format).accept(LAYOUT.segmentBytes(), page(other)));
        assertTrue(refused.getMessage().contains("invalid magic number"), refused::getMessage);
    }

    @ParameterizedTest
    @EnumSource
    void whatIsWrittenIsRead(WalFormat format) {
        assertEquals(format, WalFormat.of(format.postgresVersion()));
        assertEquals(format, WalFormat.parse(format.toString()));
    }

    @Test
    void otherVersionsAreRefused() {
        String message = assertThrows(IllegalArgumentException.class, () -> WalFormat.of(12))
                .getMessage();
        assertTrue(message.contains("13 to 18"), message);
    }
}
