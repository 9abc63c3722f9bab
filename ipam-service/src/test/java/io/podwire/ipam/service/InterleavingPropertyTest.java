package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.common.testing.Seeds;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.BlockRules;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolBlocks;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.service.Interleaving.Body;
import io.podwire.ipam.service.Interleaving.Turn;
import io.podwire.ipam.store.LedgerSnapshot;
import io.podwire.ipam.store.MemoryIpamStore;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class InterleavingPropertyTest {
    private static final Pool A = new Pool("a", IpPrefix.parse("10.1.0.0/25"), 26);
    private static final Pool B = new Pool("b", IpPrefix.parse("10.2.0.0/24"), 26);
    private static final Pool SIX = new Pool("six", IpPrefix.parse("fd00:10:1::/121"), 122);
    private static final List<Pool> POOLS = List.of(A, B, SIX);

    private static NodeEpoch epoch(int node, int uid, int counter) {
        return new NodeEpoch(new NodeName("n" + node), "uid-" + uid, "boot-" + counter, counter);
    }

    private static String claim(CasFlow flow, ClaimRequest request) {
        try {
            return new BlockFlow(flow).claim(request).block().cidr().toString();
        } catch (ServiceException e) {
            return e.reason().name();
        }
    }

    private static String answer(Runnable call) {
        try {
            call.run();
            return "ok";
        } catch (ServiceException e) {
            return e.reason().name();
        }
    }

    /** @param pools whether to create and change pools rather than to claim and release blocks */
    private static Body randomBody(RandomGenerator random, boolean pools) {
        NodeEpoch caller = epoch(random.nextInt(2), random.nextInt(4) / 3, 1 + random.nextInt(3));
        Pool pool = POOLS.get(random.nextInt(POOLS.size()));
        IpPrefix cidr = PoolBlocks.block(pool, random.nextInt(2));
        Pool another = new Pool("c" + random.nextInt(2), beside(random, pool), pool.blockLength());
        String wish = random.nextBoolean() ? pool.name() : ClaimRequest.ANY_POOL;
        ClaimRequest request = new ClaimRequest(caller, Map.of(), wish, pool.family(), "r" + random.nextInt(4));
        PoolEdit edit = randomEdit(random, cidr);
        return switch (random.nextInt(pools ? 4 : 12)) {
            case 2, 3 -> flow -> answer(() -> new PoolFlow(flow).update(pool.name(), List.of(edit)));
            case 0 -> flow -> answer(() -> new PoolFlow(flow).delete(pool.name()));
            case 1 -> flow -> answer(() -> new PoolFlow(flow).create(another));
            case 4, 5, 6 -> flow -> answer(() -> new BlockFlow(flow).release(caller, cidr, BlockRules.ANY_CLAIM));
            default -> flow -> claim(flow, request);
        };
    }

    /** The addresses behind the pool, where it may grow to and others may be created; or those and its own. */
    private static IpPrefix beside(RandomGenerator random, Pool pool) {
        return IpPrefix.containing(pool.cidr().last().plus(1), pool.cidr().length() - random.nextInt(2));
    }

    private static PoolEdit randomEdit(RandomGenerator random, IpPrefix block) {
        return switch (random.nextInt(6)) {
            case 0 -> new PoolEdit.State(PoolState.ACTIVE);
            case 1 -> new PoolEdit.State(PoolState.DRAINING);
            case 2 -> new PoolEdit.State(PoolState.RETIRED);
            case 3 -> new PoolEdit.Purpose(random.nextBoolean() ? PoolPurpose.PODS : PoolPurpose.STATIC);
            case 4 -> new PoolEdit.Reserved(List.of(IpPrefix.ofHost(block.last())));
            default -> new PoolEdit.Cidr(IpPrefix.containing(block.address(), block.length() - random.nextInt(5)));
        };
    }

    private static MemoryIpamStore started(List<Body> before) {
        MemoryIpamStore store = new MemoryIpamStore();
        CasFlow flow = Interleaving.flow(store);
        POOLS.forEach(new PoolFlow(flow)::create);
        before.forEach(body -> body.run(flow));
        return store;
    }

    private static void assertSound(Ledger ledger) {
        List<Block> blocks = ledger.blocks();
        for (Block block : blocks) {
            assertThat(ledger.pool(block.pool()))
                    .as("pool of %s", block)
                    .hasValueSatisfying(pool -> assertThat(pool.state()).isNotEqualTo(PoolState.RETIRED))
                    .hasValueSatisfying(pool -> assertThat(pool.purpose()).isEqualTo(PoolPurpose.PODS))
                    .hasValueSatisfying(pool -> assertThat(PoolBlocks.all(pool)).contains(block.cidr()))
                    .hasValueSatisfying(pool -> assertThat(pool.reserved()).noneMatch(block.cidr()::overlaps));
            assertThat(blocks.stream().filter(b -> b.cidr().overlaps(block.cidr())))
                    .as("owners of %s", block.cidr())
                    .hasSize(1);
            assertThat(blocks.stream()
                            .filter(b -> b.requestId().equals(block.requestId())
                                    && b.owner().sameOwner(block.owner())))
                    .as("blocks of request %s", block.requestId())
                    .hasSize(1);
        }
        for (Pool pool : ledger.pools()) {
            assertThat(ledger.pools().stream().filter(p -> p.cidr().overlaps(pool.cidr())))
                    .as("pools on %s", pool.cidr())
                    .hasSize(1);
        }
    }

    @Test
    void anyInterleavingEndsAsSomeSerialOrderWould() {
        Seeds.forEach(InterleavingPropertyTest.class, 300, random -> {
            boolean pools = random.nextInt(3) == 0;
            List<Body> before = IntStream.range(0, random.nextInt(4))
                    .mapToObj(_ -> randomBody(random, false))
                    .toList();
            List<Body> bodies = IntStream.range(0, 2 + random.nextInt(3))
                    .mapToObj(_ -> randomBody(random, pools))
                    .toList();
            MemoryIpamStore store = started(before);
            Interleaving interleaving = new Interleaving(random, store, false);
            List<Turn> turns = bodies.stream().map(interleaving::add).toList();
            interleaving.run();

            List<String> results = turns.stream().map(Turn::result).toList();
            Ledger end = LedgerSnapshot.read(store).ledger();
            assertSound(end);
            assertThat(someOrderGives(before, bodies, results, end, new ArrayList<>()))
                    .as("a serial order that gives %s and %s", results, end)
                    .isTrue();
        });
    }

    private static boolean someOrderGives(
            List<Body> before, List<Body> bodies, List<String> results, Ledger end, List<Integer> order) {
        if (order.size() < bodies.size()) {
            return IntStream.range(0, bodies.size())
                    .filter(i -> !order.contains(i))
                    .anyMatch(i -> {
                        List<Integer> longer = new ArrayList<>(order);
                        longer.add(i);
                        return someOrderGives(before, bodies, results, end, longer);
                    });
        }
        MemoryIpamStore store = started(before);
        CasFlow flow = Interleaving.flow(store);
        return order.stream().allMatch(i -> bodies.get(i).run(flow).equals(results.get(i)))
                && LedgerSnapshot.read(store).ledger().equals(end);
    }

    @Test
    void lostAnswersAndDeathsLeakNothing() {
        Seeds.forEach(InterleavingPropertyTest.class, 300, random -> {
            MemoryIpamStore store = started(List.of());
            Interleaving interleaving = new Interleaving(random, store, true);
            Map<String, ClaimRequest> requests = new TreeMap<>();
            Map<String, List<Turn>> answers = new TreeMap<>();
            for (int i = 0; i < 4; i++) {
                IpFamily family = i < 2 ? IpFamily.V4 : IpFamily.V6;
                ClaimRequest request =
                        new ClaimRequest(epoch(i % 2, 0, 1), Map.of(), ClaimRequest.ANY_POOL, family, "r" + i);
                requests.put(request.requestId(), request);
                // The node repeats its request while the first is under way, over another replica.
                answers.put(
                        request.requestId(),
                        IntStream.range(0, 2)
                                .mapToObj(_ -> interleaving.add(flow -> claim(flow, request)))
                                .toList());
            }
            interleaving.add(flow -> answer(() -> new PoolFlow(flow).delete("a")));
            interleaving.run();

            CasFlow flow = Interleaving.flow(store);
            Map<String, String> held = new TreeMap<>();
            requests.forEach((id, request) -> held.put(id, claim(flow, request)));
            Ledger end = LedgerSnapshot.read(store).ledger();
            assertSound(end);
            answers.forEach((id, turns) -> turns.stream()
                    .map(Turn::result)
                    .filter(result -> !result.equals("died") && !result.equals(ErrorReason.EXHAUSTED.name()))
                    .forEach(
                            result -> assertThat(result).as("answers to %s", id).isEqualTo(held.get(id))));
            assertThat(end.blocks()).as("one block a request, no more").hasSize(requests.size());

            int free = 0;
            for (IpFamily family : IpFamily.values()) {
                while (!claim(
                                flow,
                                new ClaimRequest(
                                        epoch(9, 0, 1), Map.of(), ClaimRequest.ANY_POOL, family, "last-" + free))
                        .equals("EXHAUSTED")) {
                    free++;
                }
            }
            List<IpPrefix> all = end.pools().stream()
                    .flatMap(pool -> PoolBlocks.all(pool).stream())
                    .toList();
            assertThat(end.blocks().size() + free).as("owned + free").isEqualTo(all.size());
            assertThat(LedgerSnapshot.read(store).ledger().blocks())
                    .extracting(Block::cidr)
                    .containsExactlyInAnyOrderElementsOf(all);
        });
    }
}
