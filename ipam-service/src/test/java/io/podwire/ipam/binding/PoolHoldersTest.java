package io.podwire.ipam.binding;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.HoldingPod;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.SingleAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class PoolHoldersTest {
    private static final Pool POOL = new Pool("a", IpPrefix.parse("10.1.0.0/24"), 28);

    private static Binding binding(String address, String pod, int since) {
        return new Binding(
                IpAddress.parse(address),
                Binding.State.IN_USE,
                new Binding.Holder("c-" + pod, "eth0", "shop", pod, "uid-" + pod, "podwire"),
                Instant.ofEpochSecond(since));
    }

    private static NodeReport node(String name, Binding... bindings) {
        return NodeReport.full(
                new NodeEpoch(new NodeName(name), "uid-" + name, "boot", 1), List.of(bindings), Duration.ZERO);
    }

    private static HoldingPod pod(String name) {
        return new HoldingPod("shop", name, "uid-" + name);
    }

    @Test
    void theNodeWithTheFewestIsEmptiedFirstAndThereTheOldest() {
        List<NodeReport> reports = List.of(
                node("n1", binding("10.1.0.1", "a", 5), binding("10.1.0.2", "b", 4), binding("10.1.0.3", "c", 6)),
                node("n2", binding("10.1.0.17", "d", 9), binding("10.1.0.18", "e", 8), binding("10.2.0.1", "x", 1)),
                node("n3", binding("10.2.0.17", "y", 1)));
        assertThat(PoolHolders.leaving(POOL, reports))
                .containsExactly(pod("e"), pod("d"), pod("b"), pod("a"), pod("c"));
        assertThat(PoolHolders.inUse(POOL, reports, Ledger.EMPTY)).isEqualTo(5);
    }

    @Test
    void whatIsNoPodIsCountedAndNotEvictedAndWhatCoolsIsNeither() {
        Binding tunnel = new Binding(
                IpAddress.parse("10.1.0.0"),
                Binding.State.IN_USE,
                new Binding.Holder("podwire-node", "pwvx", "", "", "", ""),
                Instant.EPOCH);
        Binding cooling =
                new Binding(IpAddress.parse("10.1.0.5"), Binding.State.COOLING, Binding.Holder.NOBODY, Instant.EPOCH);
        List<NodeReport> reports =
                List.of(node("n1", tunnel, cooling, binding("10.1.0.255", "a", 5), binding("10.1.1.0", "outside", 5)));
        assertThat(PoolHolders.leaving(POOL, reports)).containsExactly(pod("a"));
        Ledger ledger = Ledger.EMPTY
                .with(POOL)
                .with(new SingleAddress(
                        "a",
                        IpAddress.parse("10.1.0.200"),
                        new AddressUse.InUse(new AddressOwner("vm-7", "", "", ""), Optional.empty()),
                        Instant.EPOCH))
                .with(new SingleAddress("a", IpAddress.parse("10.1.0.201"), new AddressUse.Cooling(), Instant.EPOCH));
        assertThat(PoolHolders.inUse(POOL, reports, ledger))
                .as("the tunnel, the pod and the single one")
                .isEqualTo(3);
    }

    @Test
    void aPodWithTwoAddressesLeavesOnce() {
        assertThat(PoolHolders.leaving(
                        POOL, List.of(node("n1", binding("10.1.0.1", "a", 5), binding("10.1.0.2", "a", 5)))))
                .containsExactly(pod("a"));
    }
}
