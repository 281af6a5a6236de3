package lockstep.transport.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/** What the process holds: its threads by name, its open files and sockets, and its direct memory. */
public record Resources(List<String> threads, TreeMap<String, Integer> descriptors) {
    /** The tag of checks that look at the whole process, and so run alone. */
    static final String WHOLE_PROCESS = "whole-process";

    private static final Path DESCRIPTORS = Path.of("/proc/self/fd");

    /** Pools grow in chunks. */
    private static final long SLACK_BYTES = 16 << 20;

    private static final int SETTLING_ROUNDS = 5;
    private static final long CLEANER_MS = 10;

    /** Looks at what there is now. Descriptors are seen on Linux only. */
    public static Resources now() throws IOException {
        return new Resources(threadNames(), openFiles());
    }

    /** Checks that nothing more is held now than when this was taken. */
    public void assertNothingMore() throws IOException {
        List<String> newThreads = new ArrayList<>(threadNames());
        threads.forEach(newThreads::remove);
        assertEquals(List.of(), newThreads, "threads that were not there before");
        TreeMap<String, Integer> newDescriptors = openFiles();
        descriptors.forEach((kind, count) -> newDescriptors.merge(kind, -count, Integer::sum));
        newDescriptors.values().removeIf(count -> count <= 0);
        assertEquals(Map.of(), newDescriptors, "descriptors that were not there before, by what they are");
    }

    /** Returns the names of the threads, without those of the Java machine and of JUnit. */
    public static List<String> threadNames() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getThreadGroup() != null
                        && !thread.getThreadGroup().getName().equals("system")
                        && !thread.getThreadGroup().getName().equals("InnocuousThreadGroup"))
                .map(Thread::getName)
                .filter(name -> !name.startsWith("ForkJoinPool") && !name.startsWith("junit"))
                .sorted()
                .toList();
    }

    /** Counts descriptors by kind; a class loader's jars, and what the machine itself reads, come at any time. */
    private static TreeMap<String, Integer> openFiles() throws IOException {
        TreeMap<String, Integer> open = new TreeMap<>();
        if (!Files.isDirectory(DESCRIPTORS)) {
            return open;
        }
        try (DirectoryStream<Path> all = Files.newDirectoryStream(DESCRIPTORS)) {
            for (Path descriptor : all) {
                try {
                    String target = Files.readSymbolicLink(descriptor).toString();
                    int colon = target.indexOf(':');
                    if (!target.startsWith("/")) {
                        open.merge(colon < 0 ? target : target.substring(0, colon), 1, Integer::sum);
                    } else if (!target.endsWith(".jar") && !target.matches("/(proc|dev|sys)/.*|.*/lib/modules")) {
                        open.merge(target, 1, Integer::sum);
                    }
                } catch (NoSuchFileException e) {
                    // That was the listing itself.
                }
            }
        }
        return open;
    }

    /** Returns the direct memory that Java accounts for, in bytes, once the garbage has been collected. */
    static long settledDirectBytes() throws InterruptedException {
        long least = directBytes();
        for (int i = 0; i < SETTLING_ROUNDS; i++) {
            System.gc();
            TimeUnit.MILLISECONDS.sleep(CLEANER_MS); // it has a thread of its own
            least = Math.min(least, directBytes());
        }
        return least;
    }

    private static long directBytes() {
        return ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
                .filter(pool -> pool.getName().equals("direct"))
                .mapToLong(BufferPoolMXBean::getMemoryUsed)
                .sum();
    }

    /** Checks that direct memory is down to what it was, once the garbage has been collected. */
    static void assertDirectBytes(long before) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(RecordingHandler.PATIENCE_S);
        long now = settledDirectBytes();
        while (now > before + SLACK_BYTES && System.nanoTime() < deadline) {
            now = settledDirectBytes();
        }
        long last = now;
        assertTrue(last <= before + SLACK_BYTES, () -> "direct memory was " + before + " bytes, is " + last);
    }
}
