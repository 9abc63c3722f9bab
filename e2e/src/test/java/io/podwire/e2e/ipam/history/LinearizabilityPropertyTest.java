package io.podwire.e2e.ipam.history;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.testing.Seeds;
import io.podwire.e2e.ipam.history.BlockState.Free;
import io.podwire.e2e.ipam.history.BlockState.Held;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** The search against the definition: all orders of all operations, tried one by one. */
class LinearizabilityPropertyTest {
    private static final int MOST = 6;

    private static boolean accepted(List<Operation> history) {
        return Linearizability.check(history) instanceof Verdict.Linearizable;
    }

    @Test
    void searchAgreesWithTheDefinition() {
        Seeds.forEach(LinearizabilityPropertyTest.class, 3_000, random -> {
            List<Operation> history = randomHistory(random);
            assertThat(accepted(history)).as("%s", history).isEqualTo(someOrderExplains(history));
        });
    }

    @Test
    void orderThatIsToldIsOne() {
        Seeds.forEach(LinearizabilityPropertyTest.class, 3_000, random -> {
            List<Operation> history = randomHistory(random);
            if (Linearizability.check(history) instanceof Verdict.Linearizable(List<Operation> order)) {
                assertThat(explains(order)).as("%s of %s", order, history).isTrue();
                assertThat(order)
                        .as("of %s", history)
                        .containsAll(history.stream().filter(Operation::certain).toList())
                        .doesNotHaveDuplicates();
            }
        });
    }

    @Test
    void bothVerdictsComeUpOften() {
        long good = LongStream.range(0, 1_000)
                .filter(seed -> accepted(randomHistory(new SplittableRandom(seed))))
                .count();
        assertThat(good).isBetween(200L, 800L);
    }

    /** True when some of the unanswered operations and all others, in some order, explain all. */
    private static boolean someOrderExplains(List<Operation> history) {
        List<Operation> certain = history.stream().filter(Operation::certain).toList();
        List<Operation> unanswered =
                history.stream().filter(operation -> !operation.certain()).toList();
        return IntStream.range(0, 1 << unanswered.size()).anyMatch(chosen -> {
            List<Operation> all = new ArrayList<>(certain);
            IntStream.range(0, unanswered.size())
                    .filter(i -> (chosen & 1 << i) != 0)
                    .forEach(i -> all.add(unanswered.get(i)));
            return somePermutationExplains(all, 0);
        });
    }

    private static boolean somePermutationExplains(List<Operation> operations, int fixed) {
        if (fixed == operations.size()) {
            return explains(operations);
        }
        for (int i = fixed; i < operations.size(); i++) {
            Collections.swap(operations, fixed, i);
            if (somePermutationExplains(operations, fixed + 1)) {
                return true;
            }
            Collections.swap(operations, fixed, i);
        }
        return false;
    }

    private static boolean explains(List<Operation> order) {
        for (int i = 0; i < order.size(); i++) {
            for (int later = i + 1; later < order.size(); later++) {
                if (order.get(later).answered() < order.get(i).invoked()) {
                    return false;
                }
            }
        }
        Optional<BlockState> state = Optional.of(new Free());
        for (Operation operation : order) {
            state = state.flatMap(operation.deed()::on);
        }
        return state.isPresent();
    }

    /** What a true block answered, mostly with a few deeds exchanged for others. */
    private static List<Operation> randomHistory(RandomGenerator random) {
        int count = 1 + random.nextInt(MOST);
        List<Integer> moments =
                IntStream.rangeClosed(1, 3 * count).boxed().collect(Collectors.toCollection(ArrayList::new));
        // Three moments each: call, effect, answer. They lie close together, or anywhere.
        if (random.nextBoolean()) {
            Collections.shuffle(moments, Random.from(random));
        } else {
            for (int i = 0; i + 1 < moments.size(); i++) {
                Collections.swap(moments, i, Math.min(moments.size() - 1, i + random.nextInt(4)));
            }
        }
        record Plan(long invoked, long effect, long answered) {}
        List<Plan> plans = IntStream.range(0, count)
                .mapToObj(
                        i -> moments.subList(3 * i, 3 * i + 3).stream().sorted().toList())
                .map(three -> new Plan(three.get(0), three.get(1), three.get(2)))
                .sorted(Comparator.comparingLong(Plan::effect))
                .toList();
        List<Operation> history = new ArrayList<>();
        BlockState state = new Free();
        for (Plan plan : plans) {
            Deed deed = random.nextInt(3) == 0 ? new Deed.Look(state) : randomDeed(random);
            Optional<BlockState> next = deed.on(state);
            boolean lost = random.nextInt(4) == 0;
            if (next.isEmpty() && !lost) {
                deed = new Deed.Look(state);
                next = Optional.of(state);
            }
            // An unanswered one may never take effect.
            state = lost && random.nextBoolean() ? state : next.orElse(state);
            history.add(new Operation(deed, plan.invoked(), lost ? Operation.NEVER : plan.answered()));
        }
        for (int exchanged = random.nextInt(4); exchanged > 0; exchanged--) {
            int i = random.nextInt(history.size());
            Operation old = history.get(i);
            history.set(i, new Operation(randomDeed(random), old.invoked(), old.answered()));
        }
        Collections.shuffle(history, Random.from(random));
        return history;
    }

    private static Deed randomDeed(RandomGenerator random) {
        Held held = new Held(random.nextBoolean() ? "a" : "b", "c" + random.nextInt(3));
        return switch (random.nextInt(5)) {
            case 0, 1 -> new Deed.Claim(held);
            case 2 -> new Deed.Release(held.node());
            case 3 -> new Deed.Refusal(held);
            default -> new Deed.Look(random.nextInt(3) == 0 ? new Free() : held);
        };
    }
}
