package lockstep.launcher;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import lockstep.transport.api.Endpoint;

/**
 * {@code lockstep pg-setup}: what a PostgreSQL server lacks to have a Lockstep standby as its synchronous one. It asks the server
 * by {@code psql}, which has libpq's ways to log in, and changes nothing without a word.
 */
final class PgSetupCommand implements Command {
    private static final String NAME = "--name";
    private static final String SLOT = "--slot";
    private static final String USER = "--user";
    private static final String ADDRESS = "--address";
    private static final String APPLY = "--apply";

    private static final String RELOAD = "select pg_reload_conf();";

    /** Of psql: asks for the password, and sends what can only check it. */
    private static final String PASSWORD = "\\password ";

    private static final String NOT_SET = "";
    private static final int LEAST_WAL_SENDERS = 2;
    private static final Pattern PLAIN = Pattern.compile("[a-z_][a-z0-9_]*");
    private static final Pattern HOST = Pattern.compile("(?:^postgres(?:ql)?://(?:[^/@]*@)?|\\bhost=)([^/:?,\\s]+)");
    private static final Pattern NETWORK = Pattern.compile("[0-9A-Fa-f:.]+(/[0-9]{1,3})?");

    /** What is asked of the server, each answer on a line. */
    private static final String QUESTIONS = """
            select coalesce((select case when rolreplication and rolcanlogin then 'ready' else 'there' end
                from pg_roles where rolname = %1$s), '');
            select coalesce((select slot_type from pg_replication_slots where slot_name = %2$s), '');
            select current_setting('synchronous_standby_names');
            select current_setting('wal_level');
            select current_setting('max_wal_senders');
            select current_setting('hba_file');
            select coalesce((select auth_method from pg_hba_file_rules
                where 'replication' = any (database) and (%1$s = any (user_name) or 'all' = any (user_name))
                and auth_method <> 'reject' and type in ('host', 'hostssl')
                and case when address = 'all' then true
                    when netmask is null or family(address::inet) <> family(%3$s::inet) then false
                    else host(address::inet & netmask::inet) = host(%3$s::inet & netmask::inet) end
                order by line_number limit 1), '');
            select exists (select from pg_authid where rolname = %1$s and rolpassword is not null);
            select current_setting('port');
            """;

    private static final String HBA_ERRORS =
            "select 'line ' || line_number || ', ' || error from pg_hba_file_rules where error is not null;";

    /** How {@code pg_hba.conf} says that a password is asked for. */
    private static final Set<String> PASSWORD_METHODS = Set.of("scram-sha-256", "md5", "password");

    @Override
    public String name() {
        return "pg-setup";
    }

    @Override
    public String synopsis() {
        return "URI [--name NAME] [--slot NAME] [--user NAME] [--address ADDRESS] [--apply]";
    }

    @Override
    public String summary() {
        return "shows what a PostgreSQL server lacks for a synchronous Lockstep standby";
    }

    @Override
    public String details() {
        return """
            URI                how psql reaches the server as a superuser, such as
                               postgresql://postgres@db1/
            --name NAME        application_name of the standby; s1
            --slot NAME        its replication slot; NAME of --name
            --user NAME        the role it logs in with; lockstep
            --address ADDRESS  where it connects from; 127.0.0.1
            --apply            makes the changes, after asking

            A password is never set here: \\password in psql does that.
            """;
    }

    @Override
    public int run(List<String> words) throws Exception {
        Arguments arguments = new Arguments(words, Set.of(APPLY), Set.of(NAME, SLOT, USER, ADDRESS));
        String uri = arguments.only("URI");
        String standby = plain(NAME, arguments.value(NAME).orElse("s1"));
        String slot = plain(SLOT, arguments.value(SLOT).orElse(standby));
        String user = plain(USER, arguments.value(USER).orElse("lockstep"));
        String address = network(arguments.value(ADDRESS).orElse("127.0.0.1"));
        List<String> answers = psql(uri, QUESTIONS.formatted(quoted(user), quoted(slot), quoted(address)));
        String method = answers.get(6).equals(NOT_SET) ? "scram-sha-256" : answers.get(6);
        boolean asksPassword = PASSWORD_METHODS.contains(method);
        boolean lacksPassword = asksPassword && answers.get(7).equals("f");
        List<String> statements = statements(answers, standby, slot, user, address, lacksPassword);
        if (statements.isEmpty()) {
            System.out.println("-- The server has all that the standby \"" + standby + "\" needs.");
        } else {
            System.out.println("-- As a superuser on " + Endpoint.withoutSecrets(uri) + ", in psql:");
            statements.forEach(System.out::println);
        }
        explain(host(uri) + ":" + answers.get(8), standby, slot, user, asksPassword);
        if (statements.isEmpty() || !arguments.has(APPLY)) {
            return ExitStatus.OK;
        }
        System.out.print("Make these changes" + (lacksPassword ? ", up to \\password" : "") + "? [y/N] ");
        String answer = new BufferedReader(new InputStreamReader(System.in, UTF_8)).readLine();
        if (answer == null || !answer.strip().equalsIgnoreCase("y")) {
            System.out.println("Nothing was changed.");
            return ExitStatus.FAILED;
        }
        List<String> ours = lacksPassword ? statements.subList(0, statements.indexOf(PASSWORD + user)) : statements;
        psql(uri, String.join("\n", ours));
        checkHba(uri);
        System.out.println(
                lacksPassword ? "Done. Now run " + PASSWORD + user + " in psql, and then this again." : "Done.");
        return ExitStatus.OK;
    }

    /** Returns an address as {@code pg_hba.conf} wants it, with a mask. */
    private static String network(String address) {
        if (!NETWORK.matcher(address).matches()) {
            throw new UsageException(ADDRESS + " " + address + ": an address such as 10.0.0.7/32 is expected");
        }
        return address.contains("/") ? address : address + (address.contains(":") ? "/128" : "/32");
    }

    /** A server that has started goes on with the rules it knows, but would not start again with a line it cannot read. */
    private static void checkHba(String uri) throws IOException, InterruptedException {
        List<String> errors = psql(uri, HBA_ERRORS);
        if (!errors.isEmpty()) {
            throw new Failure(
                    ExitStatus.FAILED,
                    "the server cannot read its pg_hba.conf, and would not start again with it: correct "
                            + String.join("; ", errors));
        }
    }

    /** Tells what comes then, at the standby. */
    private static void explain(String server, String standby, String slot, String user, boolean asksPassword) {
        if (asksPassword) {
            System.out.println(
                    "-- The standby shows the password that is in ~/.pgpass, a file of mode 0600, or in PGPASSWORD:");
            System.out.println("--   " + server + ":replication:" + user + ":PASSWORD");
        }
        System.out.println("-- It is started with:");
        System.out.println("--   lockstep standby DIR --from 'postgresql://" + user + "@" + server
                + "/?application_name=" + standby + "' --slot " + slot + " --daemon");
    }

    /** Returns the server's host, as far as the way in which psql reaches it tells. */
    private static String host(String conninfo) {
        Matcher host = HOST.matcher(conninfo);
        return host.find() ? host.group(1) : "HOST";
    }

    /** Returns what is to be done, in the order in which commits never wait for somebody who cannot come. */
    private static List<String> statements(
            List<String> answers, String standby, String slot, String user, String address, boolean lacksPassword) {
        List<String> statements = new ArrayList<>();
        String role = answers.get(0);
        String names = answers.get(2);
        String level = answers.get(3);
        int senders = Integer.parseInt(answers.get(4));
        String hbaFile = answers.get(5);
        if (!role.equals("ready")) {
            statements.add((role.equals(NOT_SET) ? "create" : "alter") + " role " + user + " login replication;");
        }
        if (answers.get(1).equals(NOT_SET)) {
            statements.add("select pg_create_physical_replication_slot(" + quoted(slot) + ", true);");
        }
        if (level.equals("minimal")) {
            statements.add("alter system set wal_level = replica; -- counts after a restart of the server");
        }
        if (senders < LEAST_WAL_SENDERS) {
            statements.add("alter system set max_wal_senders = 10; -- counts after a restart of the server");
        }
        if (answers.get(6).equals(NOT_SET)) {
            String line = "host replication " + user + " " + address + " scram-sha-256";
            statements.add("-- a line in " + hbaFile);
            // The empty line ends one that the file may end with.
            statements.add("copy (values (''), (" + quoted(line) + ")) to program "
                    + quoted("cat >> '" + hbaFile.replace("'", "'\\''") + "'") + ";");
        }
        if (statements.stream()
                .anyMatch(statement -> statement.startsWith("alter system") || statement.startsWith("copy"))) {
            statements.add(RELOAD);
        }
        if (lacksPassword) {
            statements.add(PASSWORD + user);
        }
        if (names.equals(NOT_SET)) {
            statements.add("alter system set synchronous_standby_names = " + quoted(standby)
                    + "; -- from now on commits wait for it");
            statements.add(RELOAD);
        } else if (!Pattern.compile("(^|\\W)(" + standby + "|\\*)(\\W|$)")
                .matcher(names)
                .find()) {
            statements.add("-- synchronous_standby_names is " + names + ", where " + standby
                    + " is missing: add it as you want it to count");
        }
        if (!statements.isEmpty() && !names.equals(NOT_SET)) {
            statements.add(0, "set synchronous_commit = local; -- or these would wait for who is not there yet");
        }
        return statements;
    }

    private static String plain(String option, String name) {
        if (!PLAIN.matcher(name).matches()) {
            throw new UsageException(option + " " + name + ": small letters, digits and _ are expected");
        }
        return name;
    }

    private static String quoted(String text) {
        return "'" + text.replace("'", "''") + "'";
    }

    /** Runs statements; returns the lines they printed. */
    private static List<String> psql(String uri, String statements) throws IOException, InterruptedException {
        Process psql;
        try {
            psql = new ProcessBuilder("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", uri)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
        } catch (IOException e) {
            throw new Failure(
                    ExitStatus.FAILED,
                    "psql cannot be run, which comes with PostgreSQL's client programs: " + e.getMessage());
        }
        psql.getOutputStream().write(statements.getBytes(UTF_8));
        psql.getOutputStream().close();
        List<String> lines =
                new String(psql.getInputStream().readAllBytes(), UTF_8).lines().toList();
        if (psql.waitFor() != 0) {
            throw new Failure(
                    ExitStatus.FAILED,
                    "the server at " + Endpoint.withoutSecrets(uri) + " could not be asked; psql says why above");
        }
        return lines;
    }
}
