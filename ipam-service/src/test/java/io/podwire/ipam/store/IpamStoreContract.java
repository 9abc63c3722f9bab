package io.podwire.ipam.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.ipam.store.Change.Check;
import io.podwire.ipam.store.Change.Delete;
import io.podwire.ipam.store.Change.Put;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** What every store promises. Each test starts with an empty store. */
abstract class IpamStoreContract {
    /** The store under test, empty at the start of a test. */
    abstract IpamStore store();

    private Outcome set(Change... changes) {
        return store().compareAndSet(List.of(changes));
    }

    private long version(String key) {
        return store().load().stream()
                .filter(e -> e.key().equals(key))
                .findFirst()
                .map(Entry::version)
                .orElse(Change.ABSENT);
    }

    private List<String> contents() {
        return store().load().stream().map(e -> e.key() + "=" + e.value()).toList();
    }

    @Test
    void emptyStoreLoadsNothing() {
        assertThat(store().load()).isEmpty();
    }

    @Test
    void whatIsPutIsLoadedOrderedByKey() {
        assertThat(set(new Put("b/2", 0, "two"), new Put("a", 0, "{\"é\":\"x y\"}"), new Put("b/1", 0, "")))
                .isEqualTo(Outcome.APPLIED);
        assertThat(contents()).containsExactly("a={\"é\":\"x y\"}", "b/1=", "b/2=two");
        assertThat(version("a")).as("keys of one write share its version").isEqualTo(version("b/2"));
    }

    @Test
    void everyWriteGivesANewVersionEvenOfTheSameValue() {
        set(new Put("a", 0, "x"));
        long first = version("a");
        assertThat(set(new Put("a", first, "x"))).isEqualTo(Outcome.APPLIED);
        assertThat(version("a")).isGreaterThan(first);
        assertThat(set(new Put("a", first, "y"))).as("the old version").isEqualTo(Outcome.CONFLICT);
    }

    @Test
    void oneConflictChangesNothingWhereverItStands() {
        set(new Put("a", 0, "x"), new Put("b", 0, "x"));
        long version = version("a");
        List<String> before = contents();
        assertThat(set(new Put("a", version, "y"), new Put("b", 0, "y"))).isEqualTo(Outcome.CONFLICT);
        assertThat(set(new Put("a", 0, "y"), new Put("b", version, "y"))).isEqualTo(Outcome.CONFLICT);
        assertThat(set(new Put("c", 0, "y"), new Check("a", 0))).isEqualTo(Outcome.CONFLICT);
        assertThat(set(new Put("c", 0, "y"), new Check("missing", 7))).isEqualTo(Outcome.CONFLICT);
        assertThat(set(new Put("c", 0, "y"), new Delete("b", version + 1))).isEqualTo(Outcome.CONFLICT);
        assertThat(contents()).isEqualTo(before);
    }

    @Test
    void checksHoldAndLeaveTheKeyAsItIs() {
        set(new Put("a", 0, "x"));
        long version = version("a");
        assertThat(set(new Check("a", version), new Check("missing", 0), new Put("b", 0, "y")))
                .isEqualTo(Outcome.APPLIED);
        assertThat(version("a")).isEqualTo(version);
        assertThat(contents()).containsExactly("a=x", "b=y");
    }

    @Test
    void deletedKeyIsAbsentAndItsOldVersionNeverReturns() {
        set(new Put("a", 0, "x"));
        long old = version("a");
        assertThat(set(new Delete("a", old))).isEqualTo(Outcome.APPLIED);
        assertThat(store().load()).isEmpty();
        assertThat(set(new Put("a", old, "y"))).isEqualTo(Outcome.CONFLICT);
        assertThat(set(new Put("a", 0, "y"))).isEqualTo(Outcome.APPLIED);
        assertThat(version("a")).as("version after delete and put").isGreaterThan(old);
    }

    @Test
    void revisionGrowsWithEachWriteAndNotWithoutOne() {
        long empty = store().revision();
        set(new Put("a", 0, "x"));
        long put = store().revision();
        assertThat(put).isGreaterThan(empty);
        assertThat(store().load()).isNotEmpty();
        set(new Put("a", 0, "conflict"));
        assertThat(store().revision()).as("after a read and a conflict").isEqualTo(put);
        set(new Put("a", version("a"), "x"));
        long same = store().revision();
        assertThat(same).as("after a write of the same value").isGreaterThan(put);
        set(new Delete("a", version("a")));
        assertThat(store().revision()).as("after a delete").isGreaterThan(same);
    }

    @Test
    void noUpdateIsLostBetweenThreads() throws Exception {
        int threads = 4;
        int rounds = 8;
        set(new Put("count", 0, "0"));
        try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> all = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                all.add(executor.submit(() -> {
                    for (int i = 0; i < rounds; i++) {
                        increment();
                    }
                }));
            }
            for (Future<?> one : all) {
                one.get();
            }
        }
        assertThat(contents()).containsExactly("count=" + threads * rounds);
    }

    private void increment() {
        Outcome outcome;
        do {
            Entry entry = store().load().getFirst();
            outcome = set(new Put("count", entry.version(), Integer.toString(Integer.parseInt(entry.value()) + 1)));
        } while (outcome == Outcome.CONFLICT);
        assertThat(outcome).isEqualTo(Outcome.APPLIED);
    }

    @Test
    void openStoreIsConnected() {
        org.awaitility.Awaitility.await().until(store()::connected);
    }
}
