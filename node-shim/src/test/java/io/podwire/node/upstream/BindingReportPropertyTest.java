package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.testing.Seeds;
import io.podwire.node.address.AddressBook;
import io.podwire.node.journal.Attachment;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.testing.Attachments;
import io.podwire.proto.ipam.v1.Binding;
import io.podwire.proto.ipam.v1.BindingDelta;
import io.podwire.proto.ipam.v1.BindingState;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Whoever applies the differences of any reports of a changing book has the last report; what stays keeps its time. */
class BindingReportPropertyTest {
    @Test
    void differencesAddUp() {
        Seeds.forEach(BindingReportPropertyTest.class, 200, BindingReportPropertyTest::walk);
    }

    private static void walk(RandomGenerator random) {
        AddressBook<EndpointKey> book = new AddressBook<>(Duration.ofSeconds(20));
        book.addBlock(IpPrefix.parse("10.1.0.0/29"));
        Map<IpAddress, Binding> applied = new TreeMap<>();
        Map<EndpointKey, Attachment> attached = new HashMap<>();
        BindingReport last = BindingReport.EMPTY;
        for (int step = 0; step < 100; step++) {
            Duration now = Duration.ofSeconds(step);
            long second = 1000L + step;
            EndpointKey key = new EndpointKey("c" + random.nextInt(9), "eth0");
            if (random.nextBoolean()) {
                var _ = book.take(key, Set.of(IpFamily.V4), now);
                if (random.nextBoolean()) {
                    attached.put(key, Attachments.of(key.containerId(), "10.1.0.1"));
                }
            } else {
                var _ = book.release(key, now);
                attached.remove(key);
            }
            if (random.nextInt(3) == 0) {
                Function<EndpointKey, Optional<Attachment>> of = asked -> Optional.ofNullable(attached.get(asked));
                Instant wall = Instant.ofEpochSecond(second);
                BindingReport next = BindingReport.of(book.holdings(now), of, last, wall);
                assertThat(facts(next))
                        .as("what a report from nothing says")
                        .isEqualTo(facts(BindingReport.of(book.holdings(now), of, BindingReport.EMPTY, wall)));
                BindingDelta delta = next.since(last);
                delta.getRemovedList().forEach(address -> applied.remove(IpAddress.parse(address)));
                delta.getUpdatedList().forEach(b -> applied.put(IpAddress.parse(b.getAddress()), b));
                assertThat(applied).as("what was applied").isEqualTo(next.bindings());
                BindingReport repeated =
                        BindingReport.of(book.holdings(now), of, next, Instant.ofEpochSecond(second, 500_000_000));
                assertThat(repeated).as("the same again a moment later").isEqualTo(next);
                next.bindings().values().stream()
                        .filter(b -> b.getState() == BindingState.BINDING_STATE_COOLING)
                        .forEach(b -> assertThat(b.getSince().getSeconds())
                                .as("released within the cool-down")
                                .isBetween(second - 20, second));
                last = next;
            }
        }
    }

    /** All but times, which a report takes over from the one before it. */
    private static Map<IpAddress, Binding> facts(BindingReport report) {
        Map<IpAddress, Binding> facts = new TreeMap<>();
        report.bindings()
                .forEach((address, binding) ->
                        facts.put(address, binding.toBuilder().clearSince().build()));
        return facts;
    }
}
