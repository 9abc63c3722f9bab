package io.podwire.ipam.binding;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.binding.Binding.Holder;
import io.podwire.ipam.binding.Usage.OfNode;
import io.podwire.ipam.binding.Usage.OfPool;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressRules;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.core.Workload;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class UsageTest {
    private static final Pool POOL = new Pool("default", IpPrefix.parse("10.1.0.0/24"), 26);

    private static NodeEpoch node(String name, String uid) {
        return new NodeEpoch(new NodeName(name), uid, "boot", 1);
    }

    private static Block block(String cidr, NodeEpoch owner) {
        return new Block("default", IpPrefix.parse(cidr), owner, "request-" + cidr);
    }

    private static Binding inUse(String address) {
        return new Binding(
                IpAddress.parse(address),
                Binding.State.IN_USE,
                new Holder("c", "eth0", "shop", "web", "u", "podwire"),
                Instant.EPOCH);
    }

    private static Binding cooling(String address) {
        return new Binding(IpAddress.parse(address), Binding.State.COOLING, Holder.NOBODY, Instant.EPOCH);
    }

    private static SingleAddress single(String address, AddressUse use) {
        return new SingleAddress("default", IpAddress.parse(address), use, Instant.EPOCH);
    }

    private static OfPool pool(int all, int inUse, int cooling, int reserved, int unknown) {
        return new OfPool(
                BigInteger.valueOf(all), inUse, cooling, BigInteger.valueOf(reserved), BigInteger.valueOf(unknown));
    }

    @Test
    void everyAddressOfAPoolIsCountedOnce() {
        NodeEpoch one = node("n1", "u");
        Ledger ledger = Ledger.of(
                        List.of(POOL.with(List.of(new PoolEdit.Reserved(
                                List.of(IpPrefix.parse("10.1.0.240/28"), IpPrefix.parse("10.1.0.241/32")))))),
                        List.of(
                                block("10.1.0.0/26", one),
                                block("10.1.0.64/26", node("silent", "u")),
                                block("10.1.0.128/26", AddressRules.SERVICE)),
                        List.of())
                .with(single(
                        "10.1.0.128", new AddressUse.InUse(new AddressOwner("vm", "n1", "", ""), Optional.empty())))
                .with(single("10.1.0.129", new AddressUse.Cooling()))
                .with(single("10.1.0.130", new AddressUse.Reserved(new Workload("shop", "db", 0))));
        // Its node reports the single address too.
        NodeReport report = NodeReport.full(
                one,
                List.of(inUse("10.1.0.1"), inUse("10.1.0.2"), cooling("10.1.0.3"), inUse("10.1.0.128")),
                Duration.ZERO);
        NodeReport landless = NodeReport.full(node("n2", "u"), List.of(inUse("192.0.2.1")), Duration.ZERO);
        Usage usage = Usage.of(List.of(report, landless), ledger);
        assertThat(usage.pools()).containsOnlyKeys("default").containsEntry("default", pool(256, 3, 2, 17, 64));
        assertThat(usage.pools().get("default").free()).isEqualTo(170);
        assertThat(usage.nodes())
                .containsOnlyKeys("n1", "n2", "silent")
                .containsEntry("n1", new OfNode(1, true, 3, 1))
                .containsEntry("n2", new OfNode(0, true, 1, 0))
                .containsEntry("silent", new OfNode(1, false, 0, 0));
    }

    @Test
    void blocksOfAnEarlierInstallationAreUnknown() {
        Ledger ledger = Ledger.of(List.of(POOL), List.of(block("10.1.0.0/26", node("n1", "old"))), List.of());
        NodeReport report = NodeReport.full(node("n1", "new"), List.of(), Duration.ZERO);
        assertThat(Usage.of(List.of(report), ledger).pools()).containsEntry("default", pool(256, 0, 0, 0, 64));
    }

    @Test
    void aPoolOfIpv6IsCountedExactly() {
        Pool six = new Pool("six", IpPrefix.parse("fd00:1::/48"), 122);
        OfPool of = Usage.of(List.of(), Ledger.EMPTY.with(six)).pools().get("six");
        assertThat(of.free()).isEqualTo(BigInteger.TWO.pow(80));
    }
}
