package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

final class FailPointsTest {
    @Test
    void noneDoNothing() {
        FailPoints.NAMES.forEach(FailPoints.none()::reach);
    }

    @Test
    void anErrorHappensOnceAndInItsPlaceOnly() {
        FailPoints points = FailPoints.of(Map.of("add.link", "Error"));
        points.reach("add.host");
        assertThatIllegalStateException()
                .isThrownBy(() -> points.reach("add.link"))
                .withMessage("fail point add.link");
        points.reach("add.link");
    }

    @Test
    void aCountedErrorHappensTheNthTimeOnly() {
        FailPoints points = FailPoints.of(Map.of("add.link", "error@3"));
        points.reach("add.link");
        points.reach("add.link");
        assertThatIllegalStateException().isThrownBy(() -> points.reach("add.link"));
        points.reach("add.link");
    }

    @Test
    void aHangEndsWithTheThreadsInterruption() {
        FailPoints points = FailPoints.of(Map.of("del.link", "hang"));
        Thread hung = Thread.ofPlatform()
                .daemon()
                .start(() -> assertThatIllegalStateException().isThrownBy(() -> points.reach("del.link")));
        await().atMost(Duration.ofSeconds(5)).until(() -> hung.getState() == Thread.State.TIMED_WAITING);
        hung.interrupt();
        await().atMost(Duration.ofSeconds(5)).until(() -> !hung.isAlive());
    }

    @Test
    void wrongOnesAreNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> FailPoints.of(Map.of("add.nothing", "kill")))
                .withMessageContaining("'add.nothing'")
                .withMessageContaining("add.commit");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> FailPoints.of(Map.of("add.link", "explode")))
                .withMessageContaining("got 'explode'");
    }

    /** A name that no code reaches would be a test that tests nothing. */
    @Test
    void everyNameIsReachedSomewhereAndNoOther() throws IOException {
        TreeSet<String> reached = new TreeSet<>();
        try (Stream<Path> files = Files.walk(Path.of("src/main/java"))) {
            for (Path file : files.filter(f -> f.toString().endsWith(".java")).toList()) {
                Pattern.compile("\\.reach\\(\"([^\"]*)\"\\)")
                        .matcher(Files.readString(file))
                        .results()
                        .forEach(m -> reached.add(m.group(1)));
            }
        }
        assertThat(reached).isEqualTo(new TreeSet<>(FailPoints.NAMES)).hasSameSizeAs(FailPoints.NAMES);
    }
}
