package io.podwire.ipam.audit;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.PoolState;
import java.time.Duration;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class AddressAuditTest {
    private static final Pool DEFAULT = new Pool("default", IpPrefix.parse("10.1.0.0/24"), 26);
    private static final Pool FIXED = new Pool("fixed", IpPrefix.parse("10.2.0.0/28"), 30)
            .with(List.of(new PoolEdit.Purpose(PoolPurpose.STATIC)));

    /** One change of a sound world, and what it leads to: KIND OBJECT NODE -> action, or "none". */
    record Case(String name, UnaryOperator<Scene> change, List<String> findings) {
        Case(String name, UnaryOperator<Scene> change, String... findings) {
            this(name, change, List.of(findings));
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private static Scene sound() {
        return new Scene()
                .pool(DEFAULT)
                .pool(FIXED)
                .block("default", "10.1.0.0/26", Scene.epoch("n1"), "r1")
                .block("default", "10.1.0.64/26", Scene.epoch("n2"), "r2")
                .own("fixed", "10.2.0.0/30")
                .single("fixed", "10.2.0.0", Scene.ofPod("n1", "web"))
                .single("fixed", "10.2.0.1", Scene.ofVm("vm-7", "n1"))
                .single("fixed", "10.2.0.2", new AddressUse.Cooling())
                .single("fixed", "10.2.0.3", Scene.reserved(0))
                .node("n1")
                .node("n2")
                .use("n1", "10.1.0.1", "a")
                .cool("n1", "10.1.0.2")
                .use("n1", "10.2.0.0", "web")
                .use("n2", "10.1.0.65", "b");
    }

    static Stream<Case> cases() {
        return Stream.of(
                new Case("sound", s -> s),
                new Case(
                        "a pod that has its single address no more",
                        s -> s.drop("n1", IpAddress.parse("10.2.0.0")),
                        "ALLOCATED_NOT_USED 10.2.0.0 n1 -> release 10.2.0.0 from pod shop/web (container-web/eth0) on"
                                + " node n1"),
                new Case(
                        "one whose node lets it cool down",
                        s -> s.cool("n1", "10.2.0.0"),
                        "ALLOCATED_NOT_USED 10.2.0.0 n1 -> release 10.2.0.0 from pod shop/web (container-web/eth0) on"
                                + " node n1"),
                new Case(
                        "one whose node is away",
                        s -> s.drop("n1", IpAddress.parse("10.2.0.0")).away("n1")),
                new Case(
                        "one whose node was silent for too long",
                        s -> s.drop("n1", IpAddress.parse("10.2.0.0")).silent("n1", Duration.ofMillis(20_001))),
                new Case("one whose node never reported", s -> s.single("fixed", "10.2.0.0", Scene.ofPod("n9", "web"))),
                new Case(
                        "one that another node reports for the same pod",
                        s -> s.drop("n1", IpAddress.parse("10.2.0.0")).use("n2", "10.2.0.0", "web")),
                new Case(
                        "one that a node had when it went away",
                        s -> s.drop("n1", IpAddress.parse("10.2.0.0"))
                                .use("n2", "10.2.0.0", "web")
                                .away("n2")),
                new Case(
                        "an address of another node's block",
                        s -> s.use("n1", "10.1.0.66", "x"),
                        "USED_NOT_ALLOCATED 10.1.0.66 n1 -> none"),
                new Case(
                        "an address of nobody's block",
                        s -> s.use("n1", "10.1.0.130", "x"),
                        "USED_NOT_ALLOCATED 10.1.0.130 n1 -> none"),
                new Case(
                        "a single address that cools down",
                        s -> s.use("n1", "10.2.0.2", "x"),
                        "USED_NOT_ALLOCATED 10.2.0.2 n1 -> none"),
                new Case(
                        "an address of a block of an earlier installation",
                        s -> s.block(
                                "default",
                                "10.1.0.64/26",
                                new NodeEpoch(Scene.epoch("n2").node(), "old", "b", 1),
                                "r2"),
                        "USED_NOT_ALLOCATED 10.1.0.65 n2 -> none"),
                new Case("one that cools down on a node that has no block of it", s -> s.cool("n1", "10.1.0.66")),
                new Case(
                        "two nodes with one address",
                        s -> s.use("n1", "10.1.0.65", "x"),
                        "TWO_OWNERS 10.1.0.65 n1 -> none"),
                new Case(
                        "a single address of a VM that a pod has",
                        s -> s.use("n2", "10.2.0.1", "x"),
                        "TWO_OWNERS 10.2.0.1 n2 -> none"),
                new Case(
                        "a single address that another pod has",
                        s -> s.use("n1", "10.2.0.0", "x"),
                        "TWO_OWNERS 10.2.0.0 n1 -> none"),
                new Case(
                        "an address of no pool",
                        s -> s.use("n2", "192.0.2.1", "x"),
                        "OUTSIDE_POOLS 192.0.2.1 n2 -> none"),
                new Case(
                        "what a node that is away has does not count",
                        s -> s.use("n2", "192.0.2.1", "x")
                                .use("n2", "10.1.0.1", "y")
                                .away("n2")),
                new Case(
                        "a request without block",
                        s -> {
                            s.requests.add("lost");
                            return s;
                        },
                        "HANDLE_WITHOUT_ADDRESS lost  -> drop what is known of request lost"),
                new Case(
                        "a node's block whose pool is gone",
                        s -> s.block("ghost", "172.16.0.0/26", Scene.epoch("n1"), "r3"),
                        "INVALID_BLOCK 172.16.0.0/26 n1 -> none"),
                new Case(
                        "an address of such a block is in its node's own block",
                        s -> s.block("ghost", "172.16.0.0/26", Scene.epoch("n1"), "r3")
                                .use("n1", "172.16.0.9", "x"),
                        "INVALID_BLOCK 172.16.0.0/26 n1 -> none"),
                new Case(
                        "the service's block whose pool is gone",
                        s -> s.own("ghost", "172.16.0.0/26"),
                        "INVALID_BLOCK 172.16.0.0/26 podwire-ipam-service -> drop the record of block 172.16.0.0/26 of"
                                + " pool ghost"),
                new Case(
                        "one that somebody may use an address of",
                        s -> s.own("ghost", "172.16.0.0/26")
                                .use("n2", "172.16.0.9", "x")
                                .away("n2"),
                        "INVALID_BLOCK 172.16.0.0/26 podwire-ipam-service -> none"),
                new Case(
                        "a block outside of its pool",
                        s -> s.own("default", "172.16.0.0/26"),
                        "INVALID_BLOCK 172.16.0.0/26 podwire-ipam-service -> drop the record of block 172.16.0.0/26 of"
                                + " pool default"),
                new Case(
                        "a block of another length around two sound ones",
                        s -> s.own("default", "10.1.0.0/25"),
                        "INVALID_BLOCK 10.1.0.0/25 podwire-ipam-service -> none"),
                new Case(
                        "a node's block of a pool for single addresses",
                        s -> s.block("fixed", "10.2.0.12/30", Scene.epoch("n1"), "r3"),
                        "INVALID_BLOCK 10.2.0.12/30 n1 -> none"),
                new Case(
                        "a node's block with a reserved address",
                        s -> s.pool(
                                DEFAULT.with(List.of(new PoolEdit.Reserved(List.of(IpPrefix.parse("10.1.0.70/32")))))),
                        "INVALID_BLOCK 10.1.0.64/26 n2 -> none"),
                new Case(
                        "a block of a retired pool",
                        s -> s.pool(FIXED.with(List.of(new PoolEdit.State(PoolState.RETIRED)))),
                        "INVALID_BLOCK 10.2.0.0/30 podwire-ipam-service -> none"),
                new Case(
                        "blocks of pools that overlap",
                        s -> s.pool(new Pool("over", IpPrefix.parse("10.1.0.0/25"), 27))
                                .block("over", "10.1.0.32/27", Scene.epoch("n2"), "r3"),
                        "INVALID_BLOCK 10.1.0.32/27 n2 -> none"),
                new Case(
                        "a reservation whose pool is gone",
                        s -> s.single("ghost", "172.16.0.1", Scene.reserved(1)),
                        "ADDRESS_WITHOUT_BLOCK 172.16.0.1  -> end the reservation of 172.16.0.1 for db/pg-1"),
                new Case(
                        "one that cools down ends by itself",
                        s -> s.single("ghost", "172.16.0.1", new AddressUse.Cooling())),
                new Case(
                        "a single address in use whose block is a node's",
                        s -> s.single("default", "10.1.0.9", Scene.ofPod("n1", "z")),
                        "ADDRESS_WITHOUT_BLOCK 10.1.0.9 n1 -> none"),
                new Case(
                        "a reservation whose block is gone, of an address in use",
                        s -> s.single("default", "10.1.0.1", Scene.reserved(1)),
                        "ADDRESS_WITHOUT_BLOCK 10.1.0.1  -> none"));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void oneChangeIsFoundAsWhatItIs(Case of) {
        List<Finding> findings =
                AddressAudit.compare(of.change().apply(sound()).world()).findings();
        assertThat(findings)
                .extracting(found -> found.kind() + " " + found.object() + " "
                        + found.who().node() + " -> "
                        + (found.repair() instanceof Repair.None
                                ? "none"
                                : found.repair().action()))
                .containsExactlyElementsOf(of.findings());
        assertThat(findings).allSatisfy(found -> {
            if (found.repair() instanceof Repair.None(String instead)) {
                assertThat(instead).as("what to do instead").isNotBlank();
            }
        });
    }

    @Test
    void findingsNameWhoHasWhatAndAreInOrder() {
        List<Finding> findings = AddressAudit.compare(sound().use("n1", "10.1.0.65", "x")
                        .use("n1", "192.0.2.9", "y")
                        .use("n1", "10.1.0.130", "bad\npod")
                        .use("n1", "10.1.0.129", "z")
                        .world())
                .findings();
        assertThat(findings)
                .extracting(Finding::detail)
                .containsExactly(
                        "pod shop/z on node n1 has 10.1.0.129, which is in a block that nobody owns",
                        "pod shop/bad?pod on node n1 has 10.1.0.130, which is in a block that nobody owns",
                        "10.1.0.65 belongs to pod shop/b on node n2 and to pod shop/x on node n1",
                        "pod shop/y on node n1 has 192.0.2.9, which is in no pool");
        assertThat(findings.get(2).repair())
                .isInstanceOfSatisfying(
                        Repair.None.class,
                        none -> assertThat(none.instead())
                                .contains("delete pod shop/x on node n1, which does not own its block"));
    }

    @Test
    void nodesThatAreNotJudgedAreNamed() {
        Audited audited = AddressAudit.compare(sound().away("n1")
                .silent("n2", Duration.ofSeconds(25))
                .block("default", "10.1.0.128/26", Scene.epoch("n3"), "r3")
                .world());
        assertThat(audited.unjudged())
                .extracting(node -> node.node() + ": " + node.reason())
                .containsExactly(
                        "n1: it is away, its last message came 0 s ago",
                        "n2: its last message came 25 s ago, and it sends one every 10 s",
                        "n3: it owns 10.1.0.128/26 as installation uid-n3, which has not reported to this replica");
        assertThat(audited.bindings()).as("of judged nodes").isZero();
        assertThat(audited.blocks()).isEqualTo(4);
        assertThat(audited.addresses()).isEqualTo(4);
    }
}
