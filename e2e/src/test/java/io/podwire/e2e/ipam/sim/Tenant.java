package io.podwire.e2e.ipam.sim;

import static io.podwire.e2e.ipam.sim.Checker.require;

import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressWish;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.core.Workload;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * One that has single addresses, one or several at once, again and again, each time in another name: VMs, say. The pods of a
 * workload have them in the same way, see {@link Replicated}.
 */
final class Tenant {
    private static final Duration TIMEOUT = Duration.ofSeconds(3);
    private static final Duration LONGEST_REST = Duration.ofMillis(400);
    private static final int MOST_TRIES = 5;
    private static final int REMEMBERED = 20;
    /** As many of a pool are wanted by their address, so that some are wanted by several. */
    private static final int WANTED_OF_A_POOL = 4;

    private final IpamSimulation simulation;
    private final World world;
    private final Checker checker;
    private final Program process;
    private final List<Gone> gone = new ArrayList<>();

    /** An owner that has released what it had. */
    private record Gone(String owner, List<IpAddress> addresses) {}

    /** One that does nothing by itself. */
    Tenant(IpamSimulation simulation, World world, Checker checker, Program process) {
        this.simulation = simulation;
        this.world = world;
        this.checker = checker;
        this.process = process;
    }

    /** One that has addresses until all is over. */
    Tenant(IpamSimulation simulation, World world, Checker checker, String name) {
        this(simulation, world, checker, new Program(world, name));
        world.start(() -> {
            for (int i = 0; !simulation.over(); i++) {
                has(name + "-" + i, this::wishes, Optional.empty());
            }
        });
    }

    /** What somebody wishes for, another time something else. */
    interface Wishes {
        List<AddressWish> some();
    }

    /** Has what somebody of this name wishes for, where it can be had, for a while. */
    void has(String id, Wishes any, Optional<Workload> workload) {
        AddressOwner owner = new AddressOwner(id, "", "", "");
        List<AddressWish> wishes = any.some();
        if (world.oneIn(2)) {
            // Its first try is not over when it tries again elsewhere, for the same or something else.
            List<AddressWish> other = world.oneIn(2) ? wishes : any.some();
            world.start(() -> {
                var _ = allocate(owner, other, workload);
            });
        }
        Optional<List<IpAddress>> given = Optional.empty();
        for (int tries = 0; given.isEmpty() && tries < MOST_TRIES; tries++) {
            given = allocate(owner, wishes, workload);
        }
        List<IpAddress> addresses = given.orElse(List.of());
        if (!addresses.isEmpty()) {
            world.note(id + " uses " + addresses);
            addresses.forEach(address -> checker.used(address, new Checker.User(id, true, workload)));
            process.sleep(world.upTo(LONGEST_REST));
            if (world.oneIn(3)) {
                askAgain(owner, wishes, workload, addresses);
            }
            if (world.oneIn(3)) {
                IpAddress one = addresses.get(world.random().nextInt(addresses.size()));
                checker.unused(one);
                release(id, List.of(one));
                addresses = addresses.stream()
                        .filter(address -> !address.equals(one))
                        .toList();
                process.sleep(world.upTo(LONGEST_REST));
            }
            addresses.forEach(checker::unused);
        }
        release(id, List.of());
        gone.add(new Gone(id, given.orElse(List.of())));
        if (gone.size() > REMEMBERED) {
            gone.removeFirst();
        }
        releaseAgain();
    }

    /** An allocation may have come after the release, so that is repeated; and so is one that is of no use any more. */
    private void releaseAgain() {
        Gone one = gone.get(world.random().nextInt(gone.size()));
        release(one.owner(), world.oneIn(4) ? one.addresses() : List.of());
    }

    private void askAgain(
            AddressOwner owner, List<AddressWish> wishes, Optional<Workload> workload, List<IpAddress> has) {
        allocate(owner, wishes, workload)
                .ifPresent(again -> require(
                        Set.copyOf(again).equals(Set.copyOf(has)), owner + " has " + has + ", and is given " + again));
    }

    private List<AddressWish> wishes() {
        List<AddressWish> wishes = new ArrayList<>();
        int count = 1 + (world.oneIn(2) ? world.random().nextInt(3) : 0);
        while (wishes.size() < count) {
            AddressWish next = wish();
            if (next instanceof AddressWish.Any || !wishes.contains(next)) {
                wishes.add(next);
            }
        }
        return wishes;
    }

    private AddressWish wish() {
        return switch (world.random().nextInt(8)) {
            case 0 -> new AddressWish.Any(IpFamily.V4, IpamSimulation.FLIPPING.name());
            case 1 -> new AddressWish.Any(IpFamily.V4, AddressWish.ANY_POOL);
            case 2 -> new AddressWish.Any(IpFamily.V4, IpamSimulation.SINGLE.name());
            case 3 -> new AddressWish.Any(IpFamily.V6, AddressWish.ANY_POOL);
            case 4 -> new AddressWish.Any(IpFamily.V6, IpamSimulation.SINGLE_6.name());
            case 5 -> one(IpamSimulation.POOLS.get(world.random().nextInt(IpamSimulation.POOLS.size())));
            case 6 -> one(IpamSimulation.SINGLE_6);
            default -> one(IpamSimulation.SINGLE);
        };
    }

    private AddressWish one(Pool pool) {
        return new AddressWish.This(
                pool.cidr().address().plus(world.random().nextInt(WANTED_OF_A_POOL)), AddressWish.ANY_POOL);
    }

    /** Asks once; empty when it was refused or not answered. */
    private Optional<List<IpAddress>> allocate(
            AddressOwner owner, List<AddressWish> wishes, Optional<Workload> workload) {
        simulation.done();
        checker.wanted().asks(owner, wishes, workload);
        Checker.Witness witness = checker.witness();
        try {
            List<IpAddress> given = simulation
                    .ask(
                            process,
                            "allocate " + wishes + " for " + owner.id(),
                            TIMEOUT,
                            true,
                            replica -> replica.allocate(owner, wishes, workload))
                    .stream()
                    .map(SingleAddress::address)
                    .toList();
            require(
                    given.size() == wishes.size() && Wanted.fulfil(wishes, new TreeSet<>(given), new TreeSet<>()),
                    owner + " wished " + wishes + ", got " + given);
            simulation.count((workload.isPresent() ? "reserved " : "given ") + given.size());
            return Optional.of(given);
        } catch (Network.Unanswered _) {
            return Optional.empty();
        } catch (ServiceException e) {
            witness.mustHaveSeen(ledger -> Refusals.isTrue(e, ledger, owner, wishes, workload), e.getMessage());
            boolean ofWorkload = workload.isEmpty() && e.getMessage().contains(Refusals.RESERVED);
            simulation.count(ofWorkload ? "refused what is reserved" : "refused: " + e.reason());
            return Optional.empty();
        } finally {
            checker.dismiss(witness);
        }
    }

    /** Repeats it until it is answered that an owner does not have these addresses; none: any. */
    private void release(String id, List<IpAddress> addresses) {
        checker.wanted().releases(id, addresses);
        while (true) {
            simulation.done();
            Checker.Witness none = checker.witness();
            try {
                var _ = simulation.ask(
                        process,
                        "release of " + addresses + " by " + id,
                        TIMEOUT,
                        true,
                        replica -> replica.release(id, addresses));
                none.mustHaveSeen(
                        ledger -> ledger.addressesOf(id).stream()
                                .map(SingleAddress::address)
                                .noneMatch(address -> addresses.isEmpty() || addresses.contains(address)),
                        "it is answered that " + id + " does not have " + addresses);
                return;
            } catch (Network.Unanswered _) {
                checker.dismiss(none);
                process.sleep(world.upTo(LONGEST_REST));
            }
        }
    }
}
