package io.podwire.ipam.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.NodeEpoch.Relation;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NodeEpochTest {
    private static NodeEpoch epoch(String node, String uid, String boot, long counter) {
        return new NodeEpoch(new NodeName(node), uid, boot, counter);
    }

    @ParameterizedTest
    @CsvSource({
        "n1, u1, boot-a, 5, SAME",
        "n1, u1, boot-a, 6, NEWER",
        "n1, u1, boot-b, 6, NEWER",
        "n1, u1, boot-a, 4, OLDER",
        "n1, u1, boot-b, 4, OLDER",
        "n1, u1, boot-b, 5, OLDER",
        "n1, u2, boot-a, 9, OTHER_OWNER",
        "n2, u1, boot-a, 5, OTHER_OWNER",
    })
    void lifeComparesWithTheNewestKnown(String node, String uid, String boot, long counter, Relation relation) {
        assertThat(epoch(node, uid, boot, counter).relationTo(epoch("n1", "u1", "boot-a", 5)))
                .as("relation to n1, u1, boot-a, 5")
                .isEqualTo(relation);
    }

    @Test
    void malformedEpochsAreRefused() {
        assertThatThrownBy(() -> epoch("n1", "u1", "b", 0)).hasMessageContaining("1 to 2^63 - 1, got 0");
        assertThatThrownBy(() -> epoch("n1", "u1", "b", -1)).hasMessageContaining("18446744073709551615");
        assertThatThrownBy(() -> epoch("n1", "a/b", "b", 1)).hasMessageContaining("node uid");
        assertThatThrownBy(() -> epoch("n1", "", "b", 1)).hasMessageContaining("node uid");
        assertThatThrownBy(() -> epoch("n1", "u1", "x".repeat(65), 1)).hasMessageContaining("boot id");
    }
}
