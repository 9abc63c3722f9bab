package io.podwire.ipam.audit;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.testing.Seeds;
import io.podwire.ipam.binding.Binding;
import io.podwire.ipam.binding.NodeReport;
import io.podwire.ipam.core.AddressRules;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.SingleAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** A sound world has no findings, whatever it is like; one inconsistency is found as exactly what it is. */
class AddressAuditPropertyTest {
    private static final int WORLDS = 600;

    /** What was made, and what is to be found. */
    private record Made(FindingKind kind, String object) {}

    @Test
    void aSoundWorldHasNoFindingsAndEachInconsistencyIsFoundAsWhatItIs() {
        Map<FindingKind, Integer> made = new EnumMap<>(FindingKind.class);
        Seeds.forEach(AddressAuditPropertyTest.class, WORLDS, random -> {
            Scene scene = sound(random);
            assertThat(AddressAudit.compare(scene.world()).findings())
                    .as("of a sound world")
                    .isEmpty();
            Optional<Made> one = make(random, scene);
            if (one.isPresent()) {
                made.merge(one.get().kind(), 1, Integer::sum);
                assertThat(AddressAudit.compare(scene.world()).findings())
                        .extracting(found -> new Made(found.kind(), found.object()))
                        .as("findings")
                        .containsExactly(one.get());
            }
        });
        if (System.getProperty("seed") == null) {
            assertThat(made.keySet()).as("kinds that were made").containsExactly(FindingKind.values());
        }
    }

    private static Scene sound(RandomGenerator random) {
        Scene scene = new Scene();
        int pools = random.nextInt(2, 5);
        int nodes = random.nextInt(2, 6);
        for (int node = 0; node < nodes; node++) {
            scene.node("n" + node);
        }
        for (int i = 0; i < pools; i++) {
            Pool pool = new Pool("p" + i, IpPrefix.parse("10." + i + ".0.0/24"), 28);
            boolean fixed = random.nextInt(3) == 0;
            scene.pool(fixed ? pool.with(List.of(new PoolEdit.Purpose(PoolPurpose.STATIC))) : pool);
            // The last four blocks are nobody's.
            for (int block = 0; block < 12; block++) {
                String cidr = "10." + i + ".0." + block * 16 + "/28";
                int what = random.nextInt(4);
                if (what == 0) {
                    scene.own(pool.name(), cidr);
                    singles(random, scene, nodes, pool.name(), cidr);
                } else if (what < 3 && !fixed) {
                    String node = "n" + random.nextInt(nodes);
                    scene.block(pool.name(), cidr, Scene.epoch(node), "r-" + i + "-" + block);
                    bindings(random, scene, node, cidr);
                }
            }
        }
        for (int node = 0; node < nodes; node++) {
            away(random, scene, "n" + node);
        }
        return scene;
    }

    private static String in(String cidr, int i) {
        return IpPrefix.parse(cidr).address().plus(i).toString();
    }

    private static void bindings(RandomGenerator random, Scene scene, String node, String cidr) {
        for (int i = 0; i < 8; i++) {
            switch (random.nextInt(3)) {
                case 0 -> scene.use(node, in(cidr, i), "p" + random.nextInt(1000));
                case 1 -> scene.cool(node, in(cidr, i));
                default -> {}
            }
        }
    }

    private static void singles(RandomGenerator random, Scene scene, int nodes, String pool, String cidr) {
        for (int i = 0; i < 8; i++) {
            String address = in(cidr, i);
            String node = "n" + random.nextInt(nodes);
            switch (random.nextInt(6)) {
                case 0 -> scene.single(pool, address, new AddressUse.Cooling());
                case 1 -> scene.single(pool, address, Scene.reserved(i));
                case 2 -> scene.single(pool, address, Scene.ofVm("vm-" + address, random.nextBoolean() ? node : ""));
                case 3 -> scene.single(pool, address, Scene.ofPod("elsewhere", "q" + address));
                case 4 -> {
                    scene.single(pool, address, Scene.ofPod(node, "q" + i));
                    scene.use(node, address, "q" + i);
                }
                default -> {}
            }
        }
    }

    /** Some are not judged: nothing that they have lost or have too much is told. */
    private static void away(RandomGenerator random, Scene scene, String node) {
        switch (random.nextInt(5)) {
            case 0 -> scene.away(node);
            case 1 -> scene.silent(node, Duration.ofSeconds(random.nextInt(21, 100)));
            default -> {
                return;
            }
        }
        scene.use(node, "192.0.2." + random.nextInt(200), "stray");
        for (Binding binding : scene.reports.get(node).bindings()) {
            if (random.nextInt(4) == 0) {
                scene.drop(node, binding.address());
            }
        }
    }

    private static Optional<Made> make(RandomGenerator random, Scene scene) {
        List<String> judged = scene.reports.values().stream()
                .filter(NodeReport::connected)
                .filter(report -> report.at().equals(Scene.NOW))
                .map(report -> report.node().value())
                .toList();
        FindingKind kind = any(random, List.of(FindingKind.values())).orElseThrow();
        return switch (kind) {
            case ALLOCATED_NOT_USED ->
                any(
                                random,
                                scene.ledger.addresses().stream()
                                        .filter(single -> single.use()
                                                .user()
                                                .filter(owner -> judged.contains(owner.node())
                                                        && !owner.pod().isEmpty())
                                                .isPresent())
                                        .toList())
                        .map(single -> {
                            String node = single.use().user().orElseThrow().node();
                            if (random.nextBoolean()) {
                                scene.cool(node, single.address().toString());
                            } else {
                                scene.drop(node, single.address());
                            }
                            return new Made(kind, single.address().toString());
                        });
            case USED_NOT_ALLOCATED ->
                any(random, judged)
                        .flatMap(node -> any(random, strange(scene, node)).map(address -> {
                            scene.use(node, address, "thief");
                            return new Made(kind, address);
                        }));
            case TWO_OWNERS ->
                any(random, uses(scene, judged)).map(binding -> {
                    String address = binding.address().toString();
                    boolean single = scene.ledger.address(binding.address()).isPresent();
                    String node = judged.stream()
                            .filter(name -> scene.reports
                                    .get(name)
                                    .binding(binding.address())
                                    .isEmpty())
                            .findFirst()
                            .orElse("");
                    if (node.isEmpty() || (single && random.nextBoolean())) {
                        // Of a node's own block alone nobody can tell who is wrong; of a single address the store can.
                        if (!single) {
                            return null;
                        }
                        judged.stream()
                                .filter(name -> scene.reports
                                        .get(name)
                                        .binding(binding.address())
                                        .isPresent())
                                .forEach(name -> scene.use(name, address, "thief"));
                    } else {
                        scene.use(node, address, "thief");
                    }
                    return new Made(kind, address);
                });
            case OUTSIDE_POOLS ->
                any(random, judged).map(node -> {
                    scene.use(node, "198.51.100.7", "x");
                    return new Made(kind, "198.51.100.7");
                });
            case HANDLE_WITHOUT_ADDRESS -> {
                scene.requests.add("lost");
                yield Optional.of(new Made(kind, "lost"));
            }
            case INVALID_BLOCK -> Optional.of(invalid(random, scene));
            case NODE_DIFFERS -> {
                // Of one that is not judged nothing is told.
                scene.reports.forEach((node, report) -> {
                    if (!judged.contains(node)) {
                        scene.differs(node, "route", 3);
                    }
                });
                yield any(random, judged).map(node -> {
                    scene.differs(node, "link", random.nextInt(1, 9));
                    return new Made(kind, "link");
                });
            }
            case ADDRESS_WITHOUT_BLOCK -> {
                String address = random.nextBoolean() ? "172.16.0.1" : "10.0.0.200";
                scene.single(
                        address.startsWith("10.") ? "p0" : "ghost",
                        address,
                        random.nextBoolean() ? Scene.reserved(99) : Scene.ofPod("n0", "x"));
                yield Optional.of(new Made(kind, address));
            }
        };
    }

    /** A block that is wrong by itself, or lies over a sound one. */
    private static Made invalid(RandomGenerator random, Scene scene) {
        boolean own = random.nextBoolean();
        String cidr;
        String pool;
        switch (random.nextInt(4)) {
            case 0 -> {
                pool = "ghost";
                cidr = "172.16.0.0/28";
            }
            case 1 -> {
                pool = "p0";
                cidr = "10.200.0.0/28";
            }
            case 2 -> {
                pool = "p0";
                cidr = "10.0.0.208/29";
            }
            default -> {
                pool = "p0";
                cidr = "10.0.0.0/27";
            }
        }
        if (own) {
            scene.own(pool, cidr);
        } else {
            scene.block(pool, cidr, Scene.epoch("owner"), "r-bad");
        }
        return new Made(FindingKind.INVALID_BLOCK, cidr);
    }

    /** Addresses of pools that a node has no right to and that nobody has. */
    private static List<String> strange(Scene scene, String node) {
        List<String> found = new ArrayList<>();
        for (Pool pool : scene.ledger.pools()) {
            for (int i = 0; i < 256; i++) {
                IpAddress address = pool.cidr().address().plus(i);
                boolean mine = scene.ledger.blocks().stream()
                        .anyMatch(block ->
                                block.cidr().contains(address) && block.owner().sameOwner(Scene.epoch(node)));
                boolean had = scene.reports.values().stream()
                        .anyMatch(report -> report.binding(address).isPresent());
                boolean given = scene.ledger
                        .address(address)
                        .flatMap(single -> single.use().user())
                        .isPresent();
                if (!mine && !had && !given) {
                    found.add(address.toString());
                }
            }
        }
        return found;
    }

    private static List<Binding> uses(Scene scene, List<String> judged) {
        return judged.stream()
                .flatMap(node -> scene.reports.get(node).bindings().stream())
                .filter(binding -> binding.state() == Binding.State.IN_USE)
                .toList();
    }

    private static <T> Optional<T> any(RandomGenerator random, List<T> of) {
        return of.isEmpty() ? Optional.empty() : Optional.of(of.get(random.nextInt(of.size())));
    }

    @Test
    void noRepairTakesWhatAnybodyMayUse() {
        Seeds.forEach(AddressAuditPropertyTest.class, WORLDS, random -> {
            Scene scene = sound(random);
            for (int i = 0; i < 6; i++) {
                var _ = make(random, scene);
            }
            for (Finding finding : AddressAudit.compare(scene.world()).findings()) {
                switch (finding.repair()) {
                    case Repair.Release(SingleAddress single) -> assertUnused(scene, IpPrefix.ofHost(single.address()));
                    case Repair.EndReservation(SingleAddress single) ->
                        assertUnused(scene, IpPrefix.ofHost(single.address()));
                    case Repair.DropBlock(Block block) -> {
                        assertUnused(scene, block.cidr());
                        assertThat(AddressRules.isOwn(block))
                                .as("a node may give an address of its block at any moment")
                                .isTrue();
                        assertThat(scene.ledger.addressesIn(block.cidr())).isEmpty();
                    }
                    case Repair.DropHandle(String requestId) ->
                        assertThat(scene.ledger.blockOf(requestId)).isEmpty();
                    case Repair.None _ -> {}
                }
            }
        });
    }

    private static void assertUnused(Scene scene, IpPrefix range) {
        assertThat(scene.reports.values().stream()
                        .flatMap(report -> report.bindings().stream())
                        .filter(binding -> binding.state() == Binding.State.IN_USE)
                        .filter(binding -> range.contains(binding.address())))
                .as("uses in %s that any node has reported", range)
                .isEmpty();
    }
}
