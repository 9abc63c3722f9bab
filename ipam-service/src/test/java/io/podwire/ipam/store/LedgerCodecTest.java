package io.podwire.ipam.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.CoolDown;
import io.podwire.ipam.core.DrainPace;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NamespaceSelector;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.NodeSelector;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.PoolSource;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.core.Workload;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LedgerCodecTest {
    private static final Pool POOL = new Pool("default", IpPrefix.parse("10.1.0.0/16"), 26);
    private static final NodeEpoch NODE = new NodeEpoch(new NodeName("n1.example"), "uid-1", "boot-1", 3);
    private static final Block BLOCK = new Block("default", IpPrefix.parse("10.1.0.64/26"), NODE, "r-1");

    @Test
    void keysAndValuesStayAsTheyAre() {
        assertThat(LedgerCodec.key(POOL)).isEqualTo("pools/default");
        assertThat(LedgerCodec.encode(POOL))
                .isEqualTo("{\"v\":1,\"name\":\"default\",\"cidr\":\"10.1.0.0/16\",\"blockLength\":26}");
        assertThat(LedgerCodec.key(NODE)).isEqualTo("nodes/n1.example/uid-1");
        assertThat(LedgerCodec.encode(NODE))
                .isEqualTo("{\"v\":1,\"node\":\"n1.example\",\"uid\":\"uid-1\",\"bootId\":\"boot-1\",\"counter\":3}");
        assertThat(LedgerCodec.key(BLOCK)).isEqualTo("blocks/default/10.1.0.64-26");
        assertThat(LedgerCodec.encode(BLOCK))
                .isEqualTo("{\"v\":1,\"pool\":\"default\",\"cidr\":\"10.1.0.64/26\",\"owner\":{\"node\":\"n1.example\","
                        + "\"uid\":\"uid-1\",\"bootId\":\"boot-1\",\"counter\":3},\"requestId\":\"r-1\"}");
        assertThat(LedgerCodec.requestKey(BLOCK)).isEqualTo("requests/r-1");
        assertThat(LedgerCodec.encodeRequest(BLOCK)).isEqualTo("{\"v\":1,\"block\":\"blocks/default/10.1.0.64-26\"}");
    }

    @Test
    void ipv6KeysAndValuesStayAsTheyAre() {
        Pool pool = new Pool("default6", IpPrefix.parse("fd00:10:1::/48"), 122);
        Block block = new Block("default6", IpPrefix.parse("fd00:10:1::40/122"), NODE, "r-1");
        assertThat(LedgerCodec.encode(pool))
                .isEqualTo("{\"v\":1,\"name\":\"default6\",\"cidr\":\"fd00:10:1::/48\",\"blockLength\":122}");
        assertThat(LedgerCodec.key(block)).isEqualTo("blocks/default6/fd00:10:1::40-122");
        assertThat(LedgerCodec.encodeRequest(block))
                .isEqualTo("{\"v\":1,\"block\":\"blocks/default6/fd00:10:1::40-122\"}");
        assertThat(LedgerCodec.pool(new Entry("k", 1, LedgerCodec.encode(pool))))
                .isEqualTo(pool);
        assertThat(LedgerCodec.block(new Entry("k", 1, LedgerCodec.encode(block))))
                .isEqualTo(block);
    }

    @Test
    void poolThatIsUnusualHasAFormatThatTheFirstReleaseRefuses() {
        Pool pool = POOL.with(List.of(
                new PoolEdit.State(PoolState.DRAINING),
                new PoolEdit.Reserved(List.of(IpPrefix.parse("10.1.0.0/28"), IpPrefix.parse("10.1.7.0/32"))),
                new PoolEdit.Nodes(NodeSelector.of(Map.of("zone", "a", "example.com/rack", "")))));
        assertThat(LedgerCodec.encode(pool))
                .isEqualTo("{\"v\":2,\"name\":\"default\",\"cidr\":\"10.1.0.0/16\",\"blockLength\":26,"
                        + "\"state\":\"DRAINING\",\"reserved\":[\"10.1.0.0/28\",\"10.1.7.0/32\"],"
                        + "\"nodes\":{\"example.com/rack\":\"\",\"zone\":\"a\"}}");
        assertThat(LedgerCodec.pool(new Entry("k", 1, LedgerCodec.encode(pool))))
                .isEqualTo(pool);
        for (PoolEdit edit : List.of(
                new PoolEdit.State(PoolState.RETIRED),
                new PoolEdit.Reserved(pool.reserved()),
                new PoolEdit.Nodes(pool.nodes()))) {
            Pool one = POOL.with(List.of(edit));
            assertThat(LedgerCodec.pool(new Entry("k", 1, LedgerCodec.encode(one))))
                    .as("%s alone", edit)
                    .isEqualTo(one);
        }
    }

    @Test
    void howManyBlocksADrainingPoolHadNeedsNoFormat() {
        Pool pool = new Pool(
                "default",
                IpPrefix.parse("10.1.0.0/16"),
                26,
                PoolState.DRAINING,
                List.of(),
                NodeSelector.EVERY_NODE,
                NamespaceSelector.EVERY_NAMESPACE,
                PoolPurpose.PODS,
                CoolDown.OF_NODE,
                PoolSource.GRPC,
                7);
        Pool paced = pool.with(List.of(new PoolEdit.Pace(new DrainPace(10))));
        assertThat(LedgerCodec.encode(paced)).startsWith("{\"v\":2,").endsWith("\"drainingFrom\":7,\"drainPace\":10}");
        assertThat(LedgerCodec.pool(new Entry("k", 1, LedgerCodec.encode(paced))))
                .as("nor does its pace")
                .isEqualTo(paced);
        assertThat(LedgerCodec.encode(pool))
                .isEqualTo("{\"v\":2,\"name\":\"default\",\"cidr\":\"10.1.0.0/16\",\"blockLength\":26,"
                        + "\"state\":\"DRAINING\",\"reserved\":[],\"nodes\":{},\"drainingFrom\":7}");
        assertThat(LedgerCodec.pool(new Entry("k", 1, LedgerCodec.encode(pool))))
                .isEqualTo(pool);
    }

    @Test
    void poolWithAFieldOfFormatThreeIsRefusedByEarlierReleases() {
        Pool pool = POOL.with(List.of(
                new PoolEdit.Namespaces(NamespaceSelector.of(Map.of("team", "a"))),
                new PoolEdit.Purpose(PoolPurpose.STATIC),
                new PoolEdit.Cooling(new CoolDown.Of(Duration.ofMinutes(10))),
                new PoolEdit.Source(PoolSource.manifest("pools.yaml"))));
        assertThat(LedgerCodec.encode(pool))
                .isEqualTo("{\"v\":3,\"name\":\"default\",\"cidr\":\"10.1.0.0/16\",\"blockLength\":26,"
                        + "\"state\":\"ACTIVE\",\"reserved\":[],\"nodes\":{},\"namespaces\":{\"team\":\"a\"},"
                        + "\"purpose\":\"STATIC\",\"coolDown\":\"PT10M\",\"source\":\"manifest:pools.yaml\"}");
        assertThat(LedgerCodec.pool(new Entry("k", 1, LedgerCodec.encode(pool))))
                .isEqualTo(pool);
        for (PoolEdit edit : List.of(
                new PoolEdit.Namespaces(pool.namespaces()),
                new PoolEdit.Purpose(PoolPurpose.LOAD_BALANCER),
                new PoolEdit.Cooling(new CoolDown.Of(Duration.ZERO)),
                new PoolEdit.Source(PoolSource.KUBERNETES))) {
            Pool one = POOL.with(List.of(edit));
            assertThat(LedgerCodec.encode(one)).as("%s alone", edit).startsWith("{\"v\":3,");
            assertThat(LedgerCodec.pool(new Entry("k", 1, LedgerCodec.encode(one))))
                    .as("%s alone", edit)
                    .isEqualTo(one);
        }
    }

    @Test
    void singleAddressesStayAsTheyAreAndReadBack() {
        SingleAddress used = new SingleAddress(
                "default",
                IpAddress.parse("10.1.2.3"),
                new AddressUse.InUse(
                        new AddressOwner("c1/eth0", "n1", "db", "pg-0"), Optional.of(new Workload("db", "pg", 0))),
                Instant.ofEpochMilli(1_700_000_000_000L));
        assertThat(LedgerCodec.key(used)).isEqualTo("addresses/10.1.2.3");
        assertThat(LedgerCodec.encode(used))
                .isEqualTo("{\"v\":1,\"pool\":\"default\",\"address\":\"10.1.2.3\",\"since\":1700000000000,"
                        + "\"use\":\"IN_USE\",\"owner\":{\"id\":\"c1/eth0\",\"node\":\"n1\",\"namespace\":\"db\",\"pod\":\"pg-0\"},"
                        + "\"reservedFor\":{\"namespace\":\"db\",\"name\":\"pg\",\"ordinal\":0}}");
        for (AddressUse use : List.of(
                used.use(),
                new AddressUse.InUse(new AddressOwner("vm", "", "", ""), Optional.empty()),
                new AddressUse.Cooling(),
                new AddressUse.Reserved(new Workload("db", "pg", 7)))) {
            SingleAddress one = used.turned(use, used.since());
            Entry entry = new Entry(LedgerCodec.key(one), 3, LedgerCodec.encode(one));
            assertThat(LedgerCodec.address(entry)).isEqualTo(one);
            Ledger ledger = LedgerCodec.with(Ledger.EMPTY, entry);
            assertThat(ledger.addresses()).containsExactly(one);
            assertThat(LedgerCodec.without(ledger, entry.key())).isEqualTo(Ledger.EMPTY);
        }
        assertThat(LedgerCodec.ownerKey("vm-1")).isEqualTo("owners/" + Math.floorMod("vm-1".hashCode(), 256));
    }

    @Test
    void valuesReadBackAsTheyWere() {
        assertThat(LedgerCodec.pool(new Entry("k", 1, LedgerCodec.encode(POOL))))
                .isEqualTo(POOL);
        assertThat(LedgerCodec.node(new Entry("k", 1, LedgerCodec.encode(NODE))))
                .isEqualTo(NODE);
        assertThat(LedgerCodec.block(new Entry("k", 1, LedgerCodec.encode(BLOCK))))
                .isEqualTo(BLOCK);
    }

    /** What a process knows after its own write is what any other reads of it. */
    @Test
    void aValueTellsWhatItsTextTells() {
        SingleAddress address = new SingleAddress(
                "default", IpAddress.parse("10.1.2.3"), new AddressUse.Cooling(), Instant.ofEpochMilli(1));
        for (Map.Entry<String, Value> one : Map.<String, Value>of(
                        LedgerCodec.key(POOL), new Value.OfPool(POOL),
                        LedgerCodec.key(NODE), new Value.OfNode(NODE),
                        LedgerCodec.key(BLOCK), new Value.OfBlock(BLOCK),
                        LedgerCodec.key(address), new Value.OfAddress(address))
                .entrySet()) {
            Change.Put put = new Change.Put(one.getKey(), Change.ABSENT, one.getValue());
            Ledger known = LedgerCodec.with(Ledger.EMPTY, put.key(), put.content());
            assertThat(known).as(put.value()).isNotEqualTo(Ledger.EMPTY);
            assertThat(LedgerCodec.with(Ledger.EMPTY, new Entry(put.key(), 1, put.value())))
                    .isEqualTo(known);
            assertThat(LedgerCodec.with(Ledger.EMPTY, put.key(), new Value.Text(put.value())))
                    .isEqualTo(known);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "7",
                "{\"v\":1",
                "{\"v\":1} x",
                "{\"v\":1,\"name\":\"default\",\"cidr\":\"10.1.0.0/16\"}",
                "{\"v\":1,\"name\":\"default\",\"cidr\":\"10.1.0.1/16\",\"blockLength\":26}",
                "{\"v\":2,\"name\":\"default\",\"cidr\":\"10.1.0.0/16\",\"blockLength\":26}",
                "{\"v\":2,\"name\":\"default\",\"cidr\":\"10.1.0.0/16\",\"blockLength\":26,\"state\":\"GONE\","
                        + "\"reserved\":[],\"nodes\":{}}",
                "{\"v\":3,\"name\":\"default\",\"cidr\":\"10.1.0.0/16\",\"blockLength\":26}",
                "{\"v\":3,\"name\":\"default\",\"cidr\":\"10.1.0.0/16\",\"blockLength\":26,\"state\":\"ACTIVE\","
                        + "\"reserved\":[],\"nodes\":{},\"namespaces\":{},\"purpose\":\"PODS\","
                        + "\"coolDown\":\"10 minutes\",\"source\":\"grpc\"}",
                "{\"v\":4,\"name\":\"default\",\"cidr\":\"10.1.0.0/16\",\"blockLength\":26}",
                "{\"v\":0,\"name\":\"default\",\"cidr\":\"10.1.0.0/16\",\"blockLength\":26}",
            })
    void damagedOrUnknownValuesStopTheDecision(String value) {
        assertThatThrownBy(() -> LedgerCodec.pool(new Entry("pools/default", 1, value)))
                .isInstanceOfSatisfying(
                        ServiceException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.INTERNAL))
                .hasMessageContaining("pools/default");
    }
}
