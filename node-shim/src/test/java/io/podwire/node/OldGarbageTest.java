package io.podwire.node;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.management.ManagementFactory;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class OldGarbageTest {
    private static final long MIB = 1 << 20;

    private final AtomicLong used = new AtomicLong();
    private final AtomicLong live = new AtomicLong();
    private final AtomicInteger collections = new AtomicInteger();
    private boolean quiet = true;
    private final OldGarbage garbage = new OldGarbage(used::get, live::get, () -> quiet, collections::incrementAndGet);

    @Test
    void collectsWhatIsMoreThanAllowed() {
        live.set(10 * MIB);
        used.set(10 * MIB + OldGarbage.ALLOWED);
        garbage.look();
        assertThat(collections).as("collections at the limit").hasValue(0);
        used.addAndGet(1);
        garbage.look();
        assertThat(collections).as("collections above it").hasValue(1);
    }

    @Test
    void whatLivesIsNoReason() {
        used.set(60 * MIB);
        live.set(58 * MIB);
        garbage.look();
        assertThat(collections).hasValue(0);
    }

    @Test
    void waitsUntilNobodyWaits() {
        used.set(60 * MIB);
        quiet = false;
        garbage.look();
        assertThat(collections).as("while an ADD is under way").hasValue(0);
        quiet = true;
        garbage.look();
        assertThat(collections).as("afterwards").hasValue(1);
    }

    @Test
    void findsTheOldGenerationOfTheSerialCollectorAlone() {
        boolean serial = ManagementFactory.getGarbageCollectorMXBeans().stream()
                .anyMatch(collector -> collector.getName().equals("MarkSweepCompact"));
        assertThat(OldGarbage.ofThisJvm(() -> true).isPresent()).isEqualTo(serial);
    }
}
