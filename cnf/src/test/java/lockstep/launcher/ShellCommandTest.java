package lockstep.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

final class ShellCommandTest {
    @Test
    void oneArgumentIsTakenAsItWouldBeTyped() {
        assertEquals("lb | grep Active", ShellCommand.line(List.of("lb | grep Active")));
    }

    @Test
    void argumentsKeepTheirSpacesAndQuotes() {
        assertEquals("put greeting 'hello  world'", ShellCommand.line(List.of("put", "greeting", "hello  world")));
        assertEquals("put k 'it'\\''s'", ShellCommand.line(List.of("put", "k", "it's")));
        assertEquals("put k ''", ShellCommand.line(List.of("put", "k", "")));
    }
}
