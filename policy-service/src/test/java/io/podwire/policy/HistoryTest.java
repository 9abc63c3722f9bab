package io.podwire.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.testing.Seeds;
import io.podwire.policy.model.Namespace;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import io.podwire.policy.snapshot.History;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class HistoryTest {
    @Test
    void everyKeptRevisionIsAsItWas() {
        Seeds.forEach(HistoryTest.class, 50, random -> {
            int most = random.nextInt(6);
            History history = new History(most);
            SortedMap<Long, ClusterSnapshot> was = new TreeMap<>(Map.of(0L, ClusterSnapshot.EMPTY));
            ClusterSnapshot now = ClusterSnapshot.EMPTY;
            long revision = 0;
            for (int i = 0; i < 40; i++) {
                String name = "n" + random.nextInt(5);
                ClusterDelta delta = ClusterDelta.of(
                        random.nextInt(3) == 0
                                ? new Change.NamespaceGone(name)
                                : new Change.NamespaceSet(new Namespace(name, Map.of("v", "" + i))));
                now = delta.applyTo(now);
                // Revisions without a change in between are of the state before.
                revision += 1 + random.nextInt(3);
                ClusterSnapshot after = now;
                history.add(revision, delta, () -> after);
                was.put(revision, now);
                for (long asked = 0; asked <= revision + 1; asked++) {
                    if (asked < history.oldest()) {
                        assertThat(history.at(asked)).as("revision %d", asked).isEmpty();
                    } else {
                        assertThat(history.at(asked).orElseThrow().snapshot())
                                .as("revision %d of %d", asked, revision)
                                .isEqualTo(was.headMap(asked + 1).lastEntry().getValue());
                    }
                }
                assertThat(was.tailMap(history.oldest()).size() - 1)
                        .as("revisions that are kept")
                        .isBetween(Math.min(most, i + 1), 2 * most);
            }
        });
    }

    @Test
    void aLargeChangeLeavesNoRoomForOthers() {
        History history = new History(10);
        history.add(1, ClusterDelta.of(namespace(0)), () -> ClusterSnapshot.EMPTY);
        ClusterDelta large = new ClusterDelta(
                IntStream.range(0, 50_000).mapToObj(HistoryTest::namespace).toList());
        history.add(2, large, () -> large.applyTo(ClusterSnapshot.EMPTY));
        assertThat(history.oldest()).isEqualTo(1);
        history.add(3, ClusterDelta.of(namespace(1)), () -> ClusterSnapshot.EMPTY);
        assertThat(history.oldest()).isEqualTo(2);
        assertThat(history.at(2).orElseThrow().snapshot().namespaces()).hasSize(50_000);
    }

    private static Change namespace(int number) {
        return new Change.NamespaceSet(new Namespace("n" + number, Map.of()));
    }
}
