package io.podwire.node.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.node.ffm.TestNetns;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The goldens load in the real nft. */
@Tag("netns")
class GoldenRulesetNetnsTest {
    @ParameterizedTest
    @MethodSource("io.podwire.node.plan.GoldenRulesetTest#cases")
    void loads(String name) throws Exception {
        Path want = Path.of("src/test/resources/golden/nft", name, "want.nft").toAbsolutePath();
        try (TestNetns netns = new TestNetns()) {
            assertThat(netns.sh("nft --check -f '" + want + "'")).as(name).isEmpty();
        }
    }
}
