package io.podwire.ipam.binding;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.common.testing.Seeds;
import io.podwire.ipam.binding.Binding.Holder;
import io.podwire.ipam.core.NodeEpoch;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/**
 * Whatever nodes send in whatever order, the table has what a model has: for each node the last state that an accepted
 * stream made up, by the newest life of an installation.
 */
class BindingTablePropertyTest {
    private static final int STEPS = 200;
    /** Of the ledger, whoever reports it. */
    private static final IpAddress SINGLE = IpAddress.ofV4(0x0a010003);

    /** What one node has told, as the slow obvious version keeps it. */
    private static final class Known {
        private NodeEpoch epoch;
        private Client stream;
        private long sequence;
        private Map<IpAddress, Binding> bindings = new TreeMap<>();
    }

    /** A stream as a node has it. */
    private static final class Client {
        private final NodeEpoch epoch;
        private final List<ServiceException> ends = new ArrayList<>();
        private final BindingTable.Stream stream = new BindingTable.Stream(ends::add);

        Client(NodeEpoch epoch) {
            this.epoch = epoch;
        }
    }

    @Test
    void anySequenceOfMessagesEqualsTheModel() {
        Seeds.forEach(BindingTablePropertyTest.class, 300, BindingTablePropertyTest::walk);
    }

    private static void walk(RandomGenerator random) {
        BindingTable table = new BindingTable(SINGLE::equals);
        Map<NodeName, Known> model = new TreeMap<>();
        List<Client> clients = new ArrayList<>();
        for (int step = 0; step < STEPS; step++) {
            Duration now = Duration.ofSeconds(step);
            List<NodeReport> before = table.snapshot();
            List<NodeReport> copy = List.copyOf(before);
            int what = random.nextInt(10);
            if (what < 2 || clients.isEmpty()) {
                Client client = new Client(epoch(random));
                clients.add(client);
                full(table, model, client, bindings(random), now);
            } else {
                Client client = clients.get(random.nextInt(clients.size()));
                if (what < 8) {
                    Known known = model.get(client.epoch.node());
                    long next = known == null ? 2 : known.sequence + 1;
                    delta(
                            table,
                            model,
                            client,
                            random.nextInt(8) == 0 ? next + random.nextInt(3) - 1 : next,
                            random,
                            now);
                } else if (what < 9) {
                    table.ended(client.stream);
                    ended(model, client);
                } else {
                    NodeName gone = client.epoch.node();
                    table.forget(now, Duration.ZERO, report -> report.node().equals(gone))
                            .forEach(node -> model.put(node, new Known()));
                }
            }
            assertSame(table, model);
            assertThat(before).as("a snapshot taken before").isEqualTo(copy);
        }
    }

    private static void full(
            BindingTable table, Map<NodeName, Known> model, Client client, List<Binding> bindings, Duration now) {
        Known known = model.computeIfAbsent(client.epoch.node(), _ -> new Known());
        Optional<ErrorReason> expected = Optional.empty();
        if (known.epoch != null && known.epoch.uid().equals(client.epoch.uid())) {
            if (client.epoch.counter() < known.epoch.counter()) {
                expected = Optional.of(ErrorReason.STALE_EPOCH);
            }
        } else if (known.stream != null) {
            expected = Optional.of(ErrorReason.OWNED_BY_OTHER);
        }
        Optional<Client> replaced = Optional.ofNullable(known.stream);
        assertThat(outcome(() -> table.full(client.stream, client.epoch, bindings, now)))
                .as("full of %s", client.epoch)
                .isEqualTo(expected);
        if (expected.isEmpty()) {
            replaced.ifPresent(before ->
                    assertThat(before.ends).as("the replaced stream ends").hasSize(1));
            known.epoch = client.epoch;
            known.stream = client;
            known.sequence = 1;
            known.bindings = new TreeMap<>();
            bindings.forEach(binding -> known.bindings.put(binding.address(), binding));
        }
    }

    private static void delta(
            BindingTable table,
            Map<NodeName, Known> model,
            Client client,
            long sequence,
            RandomGenerator random,
            Duration now) {
        List<Binding> updated = bindings(random);
        List<IpAddress> removed =
                bindings(random).stream().map(Binding::address).toList();
        Known known = model.get(client.epoch.node());
        boolean own = known.stream == client;
        boolean accepted = own && sequence == known.sequence + 1;
        Optional<ErrorReason> got =
                outcome(() -> table.delta(client.stream, client.epoch, sequence, updated, removed, now));
        assertThat(got.isEmpty())
                .as("delta %d of %s is taken", sequence, client.epoch)
                .isEqualTo(accepted);
        if (accepted) {
            removed.forEach(known.bindings::remove);
            updated.forEach(binding -> known.bindings.put(binding.address(), binding));
            known.sequence = sequence;
        } else {
            // The service ends a stream that it refuses.
            table.ended(client.stream);
            ended(model, client);
        }
    }

    private static void ended(Map<NodeName, Known> model, Client client) {
        Known known = model.get(client.epoch.node());
        if (known.stream == client) {
            known.stream = null;
        }
    }

    private static void assertSame(BindingTable table, Map<NodeName, Known> model) {
        Map<NodeName, NodeReport> reports = new HashMap<>();
        table.snapshot().forEach(report -> reports.put(report.node(), report));
        model.forEach((node, known) -> {
            if (known.epoch == null) {
                assertThat(reports).as("reports").doesNotContainKey(node);
                return;
            }
            NodeReport report = reports.remove(node);
            assertThat(report.epoch()).as("epoch of %s", node).isEqualTo(known.epoch);
            assertThat(report.connected()).as("%s is connected", node).isEqualTo(known.stream != null);
            assertThat(report.bindings()).as("bindings of %s", node).containsExactlyElementsOf(known.bindings.values());
        });
        assertThat(reports).as("nodes that never told anything").isEmpty();
        Map<String, Integer> namespaces = new TreeMap<>();
        table.snapshot().stream()
                .flatMap(report -> report.bindings().stream())
                .filter(binding -> binding.state() == Binding.State.IN_USE)
                .filter(binding -> !binding.address().equals(SINGLE))
                .filter(binding -> !binding.holder().namespace().isEmpty())
                .forEach(binding -> namespaces.merge(binding.holder().namespace(), 1, Integer::sum));
        assertThat(table.inUse()).as("addresses by namespace").isEqualTo(namespaces);
        assertThat(table.inUse("shop")).isEqualTo(namespaces.getOrDefault("shop", 0));
    }

    private static Optional<ErrorReason> outcome(Runnable call) {
        try {
            call.run();
            return Optional.empty();
        } catch (ServiceException e) {
            return Optional.of(e.reason());
        }
    }

    private static NodeEpoch epoch(RandomGenerator random) {
        long counter = random.nextInt(1, 4);
        return new NodeEpoch(
                new NodeName("n" + random.nextInt(3)),
                random.nextInt(4) == 0 ? "other" : "uid",
                "boot-" + counter,
                counter);
    }

    private static List<Binding> bindings(RandomGenerator random) {
        List<Binding> bindings = new ArrayList<>();
        for (int i = random.nextInt(4); i > 0; i--) {
            IpAddress address = IpAddress.ofV4(0x0a010000 + random.nextInt(8));
            if (bindings.stream().anyMatch(other -> other.address().equals(address))) {
                continue;
            }
            bindings.add(
                    random.nextBoolean()
                            ? new Binding(address, Binding.State.COOLING, Holder.NOBODY, Instant.EPOCH)
                            : new Binding(
                                    address,
                                    Binding.State.IN_USE,
                                    new Holder(
                                            "c" + random.nextInt(9),
                                            "eth0",
                                            List.of("", "default", "shop").get(random.nextInt(3)),
                                            "web",
                                            "u",
                                            "podwire"),
                                    Instant.EPOCH));
        }
        return bindings;
    }
}
