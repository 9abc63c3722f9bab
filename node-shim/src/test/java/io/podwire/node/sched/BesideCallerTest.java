package io.podwire.node.sched;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.podwire.common.loop.EventLoop;
import io.podwire.node.ffm.Libc;
import java.util.BitSet;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class BesideCallerTest {
    private final EventLoop caller = new EventLoop("caller");
    private final EventLoop worker = new EventLoop("worker");
    private final BesideCaller beside = new BesideCaller();
    private BitSet all;

    @BeforeEach
    void know() {
        all = Libc.affinity(0);
        assumeThat(all.cardinality()).as("with one processor there is no other").isGreaterThan(1);
    }

    @AfterEach
    void close() {
        caller.close();
        worker.close();
    }

    private static BitSet only(int processor) {
        BitSet one = new BitSet();
        one.set(processor);
        return one;
    }

    @Test
    void theWorkBeginsOnAnotherProcessorThanTheCallersWhicheverThatIs() {
        worker.submit(() -> {
                    beside.here();
                    return true;
                })
                .join();
        all.stream().forEach(processor -> {
            CompletableFuture<Integer> began = new CompletableFuture<>();
            caller.submit(() -> {
                        assertThat(Libc.setAffinity(0, only(processor))).isZero();
                        beside.elsewhere();
                        worker.execute(() -> began.complete(Libc.processor()));
                        return true;
                    })
                    .join();
            assertThat(began.join()).as("woken from processor %s", processor).isNotEqualTo(processor);
        });
    }

    @Test
    void onceItWorksItMayBeAnywhere() {
        BitSet after = worker.submit(() -> {
                    beside.here();
                    beside.elsewhere();
                    assertThat(Libc.affinity(0)).as("for the moment").isNotEqualTo(all);
                    beside.anywhere();
                    return Libc.affinity(0);
                })
                .join();
        assertThat(after).isEqualTo(all);
    }

    @Test
    void withoutAThreadNothingIsDone() {
        beside.elsewhere();
        beside.anywhere();
        assertThat(Libc.affinity(0)).isEqualTo(all);
    }
}
