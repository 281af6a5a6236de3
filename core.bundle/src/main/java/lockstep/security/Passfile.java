package lockstep.security;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Finds passwords in a file of libpq's form, {@code HOST:PORT:DATABASE:USER:PASSWORD}, each of the first four may be {@code *}. */
final class Passfile {
    /** What libpq calls the database of a replication connection. */
    static final String DATABASE = "replication";

    private static final int PASSWORD = 4;

    private Passfile() {}

    /** Returns the password; null if there is no file, or no line in it that fits. */
    static char[] find(Path file, String host, int port, String user) throws IOException {
        if (!Files.exists(file)) {
            return null;
        }
        PasswordFile.checkPrivate(file);
        List<String> wanted = List.of(host, Integer.toString(port), DATABASE, user);
        for (String line : Files.readAllLines(file)) {
            List<String> fields = line.startsWith("#") ? List.of() : fields(line);
            if (fields.size() > PASSWORD && matches(fields, wanted)) {
                return fields.get(PASSWORD).toCharArray();
            }
        }
        return null;
    }

    private static boolean matches(List<String> fields, List<String> wanted) {
        for (int i = 0; i < wanted.size(); i++) {
            if (!fields.get(i).equals("*") && !fields.get(i).equals(wanted.get(i))) {
                return false;
            }
        }
        return true;
    }

    private static List<String> fields(String line) {
        List<String> fields = new ArrayList<>();
        StringBuilder field = new StringBuilder();
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            if (c == '\\' && i + 1 < line.length()) {
                field.append(line.charAt(++i));
            } else if (c == ':') {
                fields.add(field.toString());
                field.setLength(0);
            } else {
                field.append(c);
            }
        }
        fields.add(field.toString());
        return fields;
    }
}
