package io.podwire.e2e.ipam.sim;

import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpFamily;
import io.podwire.ipam.core.AddressWish;
import io.podwire.ipam.core.Workload;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A workload of two replicas that have addresses reserved: the pods of each, one after the other, have the same. It ends, perhaps
 * before its last pods do, and begins anew in another name.
 */
final class Replicated {
    private static final Duration TIMEOUT = Duration.ofSeconds(3);
    private static final Duration LONGEST_REST = Duration.ofMillis(300);
    private static final int REPLICAS = 2;
    private static final int MOST_PODS = 4;
    private static final int REMEMBERED = 5;
    private static final String NAMESPACE = "data";

    private final IpamSimulation simulation;
    private final World world;
    private final Checker checker;
    private final Program process;
    private final List<List<Workload>> gone = new ArrayList<>();

    Replicated(IpamSimulation simulation, World world, Checker checker, String name) {
        this.simulation = simulation;
        this.world = world;
        this.checker = checker;
        this.process = new Program(world, name);
        world.start(() -> {
            for (int i = 0; !simulation.over(); i++) {
                live(name + "-" + i);
            }
        });
    }

    private void live(String workload) {
        List<Workload> replicas = IntStream.range(0, REPLICAS)
                .mapToObj(ordinal -> new Workload(NAMESPACE, workload, ordinal))
                .toList();
        List<AddressWish.Any> wishes = wishes();
        if (reserve(replicas, wishes)) {
            int[] running = {REPLICAS};
            for (Workload replica : replicas) {
                world.start(() -> {
                    runPods(replica, wishes);
                    running[0]--;
                });
            }
            boolean early = world.oneIn(2);
            process.sleep(world.upTo(Duration.ofSeconds(2)));
            while (running[0] > 0 && !early) {
                process.sleep(LONGEST_REST);
            }
        }
        unreserve(replicas);
        gone.add(replicas);
        if (gone.size() > REMEMBERED) {
            gone.removeFirst();
        }
        // A reservation may have come after its end, so that is repeated.
        unreserve(gone.get(world.random().nextInt(gone.size())));
        process.sleep(world.upTo(LONGEST_REST));
    }

    private List<AddressWish.Any> wishes() {
        AddressWish.Any four =
                new AddressWish.Any(IpFamily.V4, world.oneIn(2) ? AddressWish.ANY_POOL : IpamSimulation.SINGLE.name());
        AddressWish.Any six = new AddressWish.Any(
                IpFamily.V6, world.oneIn(2) ? AddressWish.ANY_POOL : IpamSimulation.SINGLE_6.name());
        return switch (world.random().nextInt(4)) {
            case 0 -> List.of(four);
            case 1 -> List.of(six);
            default -> List.of(four, six);
        };
    }

    /** The pods of a replica. The next one may begin before the last one's release is answered, or has come. */
    private void runPods(Workload replica, List<AddressWish.Any> wishes) {
        int[] running = {0};
        for (int i = 0; i < MOST_PODS && !simulation.over(); i++) {
            String pod = replica.name() + "-" + replica.ordinal() + "/" + i;
            running[0]++;
            world.start(() -> {
                new Tenant(simulation, world, checker, process)
                        .has(pod, () -> List.copyOf(wishes), Optional.of(replica));
                running[0]--;
            });
            process.sleep(world.upTo(LONGEST_REST));
            while (running[0] > 1) {
                process.sleep(LONGEST_REST);
            }
        }
        while (running[0] > 0) {
            process.sleep(LONGEST_REST);
        }
    }

    /** Repeats it until it is answered; false when it is refused. */
    private boolean reserve(List<Workload> replicas, List<AddressWish.Any> wishes) {
        replicas.forEach(checker.wanted()::reserves);
        Checker.Witness witness = checker.witness();
        while (true) {
            simulation.done();
            try {
                var _ = simulation.ask(
                        process,
                        "reserve " + wishes + " for " + replicas,
                        TIMEOUT,
                        true,
                        replica -> replica.reserve(replicas, wishes));
                witness.mustHaveSeen(
                        ledger -> replicas.stream()
                                .allMatch(one -> wishes.stream()
                                        .allMatch(wish -> ledger.addressesFor(one).stream()
                                                .anyMatch(wish::granted))),
                        "it is answered that " + wishes + " are reserved for " + replicas);
                replicas.forEach(one -> checker.wanted().keeps(one, checker.ledger()));
                return true;
            } catch (Network.Unanswered _) {
                process.sleep(world.upTo(LONGEST_REST));
            } catch (ServiceException e) {
                witness.mustHaveSeen(ledger -> Refusals.isTrue(e, ledger, replicas, wishes), e.getMessage());
                return false;
            }
        }
    }

    /** Repeats it until it is answered. */
    private void unreserve(List<Workload> replicas) {
        replicas.forEach(checker.wanted()::ends);
        while (true) {
            simulation.done();
            Checker.Witness none = checker.witness();
            try {
                var _ = simulation.ask(
                        process,
                        "end of the reservation for " + replicas,
                        TIMEOUT,
                        true,
                        replica -> replica.unreserve(replicas));
                none.mustHaveSeen(
                        ledger -> replicas.stream()
                                .allMatch(one -> ledger.addressesFor(one).isEmpty()),
                        "it is answered that nothing is reserved for " + replicas);
                return;
            } catch (Network.Unanswered _) {
                checker.dismiss(none);
                process.sleep(world.upTo(LONGEST_REST));
            }
        }
    }
}
