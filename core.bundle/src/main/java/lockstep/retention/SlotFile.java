package lockstep.retention;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.zip.CRC32C;
import lockstep.io.Disk;
import lockstep.transport.api.Lsn;

/**
 * What is on the disk of a slot: a small text with a CRC, in a file of the slot's name.
 *
 * @param restartLsn the first position that is kept for it; 0 if nothing is
 * @param invalidated whether WAL from there on has been removed all the same
 */
record SlotFile(String name, long restartLsn, boolean invalidated) {
    static final String DIRECTORY = "pg_replslot";

    private static final String RESTART_LSN = "restart_lsn";
    private static final String INVALIDATED = "invalidated";
    private static final String CRC = "crc32c = ";

    static String path(String name) {
        return DIRECTORY + '/' + name;
    }

    /**
     * Reads one.
     *
     * @throws IOException if it is damaged; names it
     */
    static SlotFile read(Disk disk, String name) throws IOException {
        String text = new String(disk.readAll(path(name)), StandardCharsets.UTF_8);
        int end = text.lastIndexOf(CRC);
        if (end < 0 || !text.substring(end).equals(crcLine(text.substring(0, end)))) {
            throw damaged(name, "its CRC does not fit its content", null);
        }
        Map<String, String> values = new LinkedHashMap<>();
        text.substring(0, end).lines().forEach(line -> {
            String[] parts = line.split(" = ", 2);
            values.put(parts[0], parts[parts.length - 1]);
        });
        if (!values.keySet().containsAll(List.of(RESTART_LSN, INVALIDATED))) {
            throw damaged(name, "it lacks " + RESTART_LSN + " or " + INVALIDATED, null);
        }
        try {
            return new SlotFile(
                    name,
                    Lsn.parse(values.get(RESTART_LSN)).value(),
                    values.get(INVALIDATED).equals("yes"));
        } catch (IllegalArgumentException e) {
            throw damaged(name, e.getMessage(), e);
        }
    }

    private static IOException damaged(String name, String why, Exception cause) {
        return new IOException(
                "the replication slot file " + path(name) + " is damaged: " + why
                        + ". Which WAL its standby needs is not known: remove the file, start the server, and create the"
                        + " slot again",
                cause);
    }

    /** Writes it; on the disk when this returns. */
    void write(Disk disk) throws IOException {
        String text = "# Written by the server; do not edit.\n"
                + RESTART_LSN + " = " + Lsn.text(restartLsn) + '\n'
                + INVALIDATED + " = " + (invalidated ? "yes" : "no") + '\n';
        disk.writeAtomically(path(name), ByteBuffer.wrap((text + crcLine(text)).getBytes(StandardCharsets.UTF_8)));
    }

    private static String crcLine(String text) {
        CRC32C crc = new CRC32C();
        crc.update(text.getBytes(StandardCharsets.UTF_8));
        return String.format(Locale.ROOT, "%s%08X%n", CRC, crc.getValue());
    }
}
