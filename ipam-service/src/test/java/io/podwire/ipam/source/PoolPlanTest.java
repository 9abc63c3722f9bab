package io.podwire.ipam.source;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.PoolSource;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.core.PoolUsage;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class PoolPlanTest {
    private static final Pool BY_CALL = new Pool("a", IpPrefix.parse("10.1.0.0/24"), 26);
    private static final Pool A = of(PoolSource.manifest("a.yaml"), BY_CALL);
    private static final Pool B = of(PoolSource.manifest("b.yaml"), new Pool("b", IpPrefix.parse("10.2.0.0/24"), 26));

    private static Pool of(PoolSource source, Pool pool) {
        return pool.with(List.of(new PoolEdit.Source(source)));
    }

    private static Declared declared(Pool... pools) {
        return new Declared(
                PoolSource.Kind.MANIFEST,
                new TreeMap<>(Arrays.stream(pools).collect(Collectors.toMap(Pool::name, pool -> pool))),
                new TreeMap<>(),
                Set.of());
    }

    private static List<PoolAction> plan(Declared declared, PoolUsage... stored) {
        return PoolPlan.decide(declared, List.of(stored), Set.of("a", "b"));
    }

    private static PoolUsage stored(Pool pool, int owned) {
        return new PoolUsage(pool, owned);
    }

    @Test
    void poolsAreCreatedAndThenLeftAlone() {
        assertThat(plan(declared(A, B))).containsExactly(new PoolAction.Create(A), new PoolAction.Create(B));
        assertThat(plan(declared(A, B), stored(A, 3), stored(B, 0))).isEmpty();
    }

    @Test
    void whatDiffersIsChangedFieldByField() {
        Pool next = B.with(List.of(
                new PoolEdit.State(PoolState.DRAINING),
                new PoolEdit.Purpose(PoolPurpose.STATIC),
                new PoolEdit.Source(PoolSource.manifest("c.yaml"))));
        assertThat(plan(declared(A, next), stored(A, 0), stored(B, 0)))
                .containsExactly(new PoolAction.Change(
                        "b",
                        List.of(
                                new PoolEdit.State(PoolState.DRAINING),
                                new PoolEdit.Purpose(PoolPurpose.STATIC),
                                new PoolEdit.Source(PoolSource.manifest("c.yaml")))));
    }

    @Test
    void withdrawnPoolDrainsThenGoes() {
        Pool draining = A.with(List.of(new PoolEdit.State(PoolState.DRAINING)));
        assertThat(plan(declared(B), stored(A, 2)))
                .as("room is made before anything is created")
                .containsExactly(
                        new PoolAction.Change("a", List.of(new PoolEdit.State(PoolState.DRAINING))),
                        new PoolAction.Create(B));
        assertThat(plan(declared(B), stored(draining, 2), stored(B, 0))).isEmpty();
        assertThat(plan(declared(B), stored(draining, 0), stored(B, 0))).containsExactly(new PoolAction.Delete("a"));
        assertThat(plan(declared(A, B), stored(draining, 1), stored(B, 0)))
                .as("it is back before it was empty")
                .containsExactly(new PoolAction.Change("a", List.of(new PoolEdit.State(PoolState.ACTIVE))));
    }

    @Test
    void nothingIsWithdrawnOnOneLook() {
        assertThat(PoolPlan.decide(declared(), List.of(stored(A, 0), stored(B, 1)), Set.of("b")))
                .extracting(PoolAction::name)
                .containsExactly("b");
    }

    @Test
    void poolOfAnotherSourceIsNeverTouched() {
        assertThat(plan(declared(), stored(BY_CALL, 0), stored(of(PoolSource.KUBERNETES, B), 0)))
                .isEmpty();
        assertThat(plan(declared(A), stored(BY_CALL, 0))).singleElement().satisfies(action -> {
            assertThat(action).isInstanceOf(PoolAction.Refuse.class);
            assertThat(action.toString())
                    .contains("a pool of this name is there already, declared by grpc: it is left alone");
        });
    }

    @Test
    void whatCannotBeReadStaysAsItIs() {
        Declared unread = new Declared(PoolSource.Kind.MANIFEST, new TreeMap<>(), new TreeMap<>(), Set.of("a.yaml"));
        assertThat(plan(unread, stored(A, 0), stored(B, 0)))
                .as("b was of a file that is gone")
                .containsExactly(new PoolAction.Delete("b"));
        Declared refused = Declared.ofKubernetes(Map.of(), Map.of("a", "spec.cidr is missing"));
        assertThat(plan(refused, stored(of(PoolSource.KUBERNETES, BY_CALL), 0))).isEmpty();
    }
}
