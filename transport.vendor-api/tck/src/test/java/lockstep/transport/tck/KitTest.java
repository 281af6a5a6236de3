package lockstep.transport.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.testkit.engine.EngineExecutionResults;
import org.junit.platform.testkit.engine.EngineTestKit;
import org.junit.platform.testkit.engine.Event;
import org.junit.platform.testkit.engine.Events;

/** The kit itself under test: it passes a transport that is right, and each defect is found by just the checks it should. */
final class KitTest {
    private static final Map<Defect, CompletableFuture<Set<String>>> FAILED = new EnumMap<>(Defect.class);

    /** Most of a run is waiting for what does not come, so all run at the same time; what looks at the process does not. */
    @BeforeAll
    static void runTheKitOnEachDefect() throws InterruptedException {
        ExecutorService runs = Executors.newCachedThreadPool();
        for (Defect defect : Defect.values()) {
            FAILED.put(defect, CompletableFuture.supplyAsync(() -> failed(run(defect, true)), runs));
        }
        runs.shutdown();
        assertTrue(runs.awaitTermination(10, TimeUnit.MINUTES));
    }

    @ParameterizedTest
    @EnumSource
    void aDefectIsFoundByTheseChecksAndNoOthers(Defect defect) {
        Set<String> failed = new TreeSet<>(FAILED.get(defect).join());
        failed.addAll(failed(run(defect, false)));
        assertEquals(new TreeSet<>(defect.found()), failed);
    }

    @Test
    void whatATransportHasNoMediumForIsSkippedWithTheReason() {
        Map<String, String> skipped = run(Defect.NONE, true).aborted().stream()
                .collect(Collectors.toMap(
                        KitTest::name,
                        event -> event.getRequiredPayload(TestExecutionResult.class)
                                .getThrowable()
                                .orElseThrow()
                                .getMessage()));
        assertEquals(
                Set.of("strangersWhoSayNothingHoldUpNobody", "whatStrangersSayIsNeverAMessageAndHarmsNobody"),
                skipped.keySet());
        assertTrue(
                skipped.values().stream().allMatch(reason -> reason.contains("no stranger can reach")),
                skipped::toString);
    }

    private static Events run(Defect defect, boolean together) {
        EngineExecutionResults results = EngineTestKit.engine("junit-jupiter")
                .selectors(selectClass(SampleContract.class))
                .filters(
                        together
                                ? TagFilter.excludeTags(Resources.WHOLE_PROCESS)
                                : TagFilter.includeTags(Resources.WHOLE_PROCESS))
                .configurationParameter(SampleContract.DEFECT, defect.name())
                .execute();
        return results.testEvents();
    }

    private static Set<String> failed(Events events) {
        return events.failed().map(KitTest::name).collect(Collectors.toSet());
    }

    private static String name(Event event) {
        return event.getTestDescriptor().getDisplayName().replace("()", "");
    }
}
