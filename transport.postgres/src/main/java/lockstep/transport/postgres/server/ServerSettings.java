package lockstep.transport.postgres.server;

import java.util.LinkedHashMap;
import java.util.Map;
import lockstep.send.ServedLog;

/**
 * What this server says of itself as a PostgreSQL server: the settings it reports when a session begins, and answers {@code SHOW}
 * with. Clients ask for a few only, but refuse a server that does not have them. The version is that of the log: {@code pg_receivewal}
 * refuses a server of a later major version than its own.
 */
final class ServerSettings {
    private static final int KILO = 1024;

    private ServerSettings() {}

    /** Returns what is reported when a session begins, in PostgreSQL's order. */
    static Map<String, String> reported(String applicationName, String user, ServedLog log) {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("application_name", applicationName);
        settings.put("client_encoding", "SQL_ASCII");
        settings.put("DateStyle", "ISO, MDY");
        settings.put("default_transaction_read_only", "off");
        settings.put("in_hot_standby", onOff(log.isStandby()));
        settings.put("integer_datetimes", "on");
        settings.put("IntervalStyle", "postgres");
        settings.put("is_superuser", "off");
        settings.put("server_encoding", "SQL_ASCII");
        settings.put("server_version", log.postgresVersion() + ".0 (Lockstep)");
        settings.put("session_authorization", user);
        settings.put("standard_conforming_strings", "on");
        settings.put("TimeZone", "UTC");
        return settings;
    }

    /** Returns the value of a setting; null if there is none of that name. Letter case does not matter. */
    static String show(String name, Map<String, String> reported, ServedLog log) {
        return switch (name) {
            case "wal_segment_size" -> size(log.segmentBytes());
            case "wal_block_size" -> "8192";
            case "data_directory_mode" -> "0700";
            case "in_hot_standby" -> onOff(log.isStandby());
            default ->
                reported.entrySet().stream()
                        .filter(setting -> setting.getKey().equalsIgnoreCase(name))
                        .map(Map.Entry::getValue)
                        .findFirst()
                        .orElse(null);
        };
    }

    private static String onOff(boolean on) {
        return on ? "on" : "off";
    }

    private static String size(long bytes) {
        long mega = bytes / KILO / KILO;
        return mega % KILO == 0 ? mega / KILO + "GB" : mega + "MB";
    }
}
