package io.podwire.ipam.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.Context;
import io.podwire.ipam.store.Change.Check;
import io.podwire.ipam.store.Change.Delete;
import io.podwire.ipam.store.Change.Put;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
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
                .isInstanceOf(Outcome.Applied.class);
        assertThat(contents()).containsExactly("a={\"é\":\"x y\"}", "b/1=", "b/2=two");
        assertThat(version("a")).as("keys of one write share its version").isEqualTo(version("b/2"));
    }

    @Test
    void everyWriteGivesANewVersionEvenOfTheSameValue() {
        set(new Put("a", 0, "x"));
        long first = version("a");
        assertThat(set(new Put("a", first, "x"))).isInstanceOf(Outcome.Applied.class);
        assertThat(version("a")).isGreaterThan(first);
        assertThat(set(new Put("a", first, "y"))).as("the old version").isEqualTo(new Outcome.Conflict());
    }

    @Test
    void oneConflictChangesNothingWhereverItStands() {
        set(new Put("a", 0, "x"), new Put("b", 0, "x"));
        long version = version("a");
        List<String> before = contents();
        assertThat(set(new Put("a", version, "y"), new Put("b", 0, "y"))).isEqualTo(new Outcome.Conflict());
        assertThat(set(new Put("a", 0, "y"), new Put("b", version, "y"))).isEqualTo(new Outcome.Conflict());
        assertThat(set(new Put("c", 0, "y"), new Check("a", 0))).isEqualTo(new Outcome.Conflict());
        assertThat(set(new Put("c", 0, "y"), new Check("missing", 7))).isEqualTo(new Outcome.Conflict());
        assertThat(set(new Put("c", 0, "y"), new Delete("b", version + 1))).isEqualTo(new Outcome.Conflict());
        assertThat(contents()).isEqualTo(before);
    }

    @Test
    void aWriteOutlivesTheCallOnWhoseThreadItBegins() throws Exception {
        Context.CancellableContext callers = Context.current().withCancellation();
        callers.cancel(null);
        assertThat(callers.call(() -> store().write(List.of(new Put("a", 0, "x"))))
                        .get(10, TimeUnit.SECONDS))
                .isInstanceOf(Outcome.Applied.class);
        assertThat(contents()).containsExactly("a=x");
    }

    @Test
    void checksHoldAndLeaveTheKeyAsItIs() {
        set(new Put("a", 0, "x"));
        long version = version("a");
        assertThat(set(new Check("a", version), new Check("missing", 0), new Put("b", 0, "y")))
                .isInstanceOf(Outcome.Applied.class);
        assertThat(version("a")).isEqualTo(version);
        assertThat(contents()).containsExactly("a=x", "b=y");
    }

    @Test
    void deletedKeyIsAbsentAndItsOldVersionNeverReturns() {
        set(new Put("a", 0, "x"));
        long old = version("a");
        assertThat(set(new Delete("a", old))).isInstanceOf(Outcome.Applied.class);
        assertThat(store().load()).isEmpty();
        assertThat(set(new Put("a", old, "y"))).isEqualTo(new Outcome.Conflict());
        assertThat(set(new Put("a", 0, "y"))).isInstanceOf(Outcome.Applied.class);
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

    private List<String> since(long revision) {
        Reading reading = store().read(revision);
        return reading.entries().stream()
                .map(e -> (reading.whole() ? "all: " : "new: ") + e.key() + "=" + e.value())
                .toList();
    }

    @Test
    void aReadingTellsWhatWasWrittenSinceAnother() {
        set(new Put("a", 0, "x"), new Put("b", 0, "x"));
        Reading first = store().read(0);
        assertThat(first.whole()).isTrue();
        assertThat(first.revision()).isEqualTo(store().revision());
        assertThat(store().read(first.revision())).isEqualTo(new Reading(first.revision(), false, List.of()));
        set(new Put("b", version("b"), "y"), new Put("c", 0, "z"));
        set(new Put("a", 0, "conflict"));
        assertThat(since(first.revision())).containsExactly("new: b=y", "new: c=z");
        assertThat(since(store().revision())).isEmpty();
        assertThat(since(0)).containsExactly("all: a=x", "all: b=y", "all: c=z");
    }

    @Test
    void aReadingOverADeletionIsWhole() {
        set(new Put("a", 0, "x"), new Put("b", 0, "x"));
        long before = store().revision();
        set(new Delete("a", version("a")), new Put("c", 0, "z"));
        long after = store().revision();
        assertThat(since(before)).containsExactly("all: b=x", "all: c=z");
        assertThat(since(after)).as("from after the deletion on").isEmpty();
        set(new Put("a", 0, "back"));
        assertThat(since(after)).containsExactly("new: a=back");
        assertThat(since(before)).containsExactly("all: a=back", "all: b=x", "all: c=z");
    }

    @Test
    void aRevisionThatIsNotKnownGivesAll() {
        set(new Put("a", 0, "x"));
        assertThat(since(store().revision() + 1000)).containsExactly("all: a=x");
    }

    @Test
    void anAppliedWriteTellsTheVersionOfItsKeys() {
        Outcome.Applied put = (Outcome.Applied) set(new Put("a", 0, "x"), new Put("b", 0, "x"));
        assertThat(put.version()).isEqualTo(version("a")).isEqualTo(store().revision());
        Outcome.Applied delete = (Outcome.Applied) set(new Delete("a", put.version()));
        assertThat(delete.version()).isEqualTo(store().revision());
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
        } while (outcome instanceof Outcome.Conflict);
        assertThat(outcome).isInstanceOf(Outcome.Applied.class);
    }

    @Test
    void openStoreIsConnected() {
        org.awaitility.Awaitility.await().until(store()::connected);
    }
}
