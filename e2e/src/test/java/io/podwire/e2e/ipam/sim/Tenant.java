package io.podwire.e2e.ipam.sim;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.AddressWish;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.SingleAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** One that has single addresses, one after the other, each in another name: VMs, say. */
final class Tenant {
    private static final Duration TIMEOUT = Duration.ofSeconds(3);
    private static final Duration LONGEST_REST = Duration.ofMillis(400);
    private static final int MOST_TRIES = 5;
    private static final int REMEMBERED = 20;

    private final IpamSimulation simulation;
    private final World world;
    private final Checker checker;
    private final String name;
    private final Program process;
    private final List<String> gone = new ArrayList<>();

    Tenant(IpamSimulation simulation, World world, Checker checker, String name) {
        this.simulation = simulation;
        this.world = world;
        this.checker = checker;
        this.name = name;
        this.process = new Program(world, name);
        world.start(this::live);
    }

    private void live() {
        for (int i = 0; !simulation.over(); i++) {
            AddressOwner owner = new AddressOwner(name + "-" + i, "", "", "");
            AddressWish wish = wish();
            if (world.oneIn(2)) {
                // Its first try is not over when it tries again elsewhere, for the same or something else.
                AddressWish other = world.oneIn(2) ? wish : wish();
                world.start(() -> {
                    var _ = allocate(owner, other);
                });
            }
            Optional<IpAddress> given = Optional.empty();
            for (int tries = 0; given.isEmpty() && tries < MOST_TRIES; tries++) {
                given = allocate(owner, wish);
            }
            given.ifPresent(address -> {
                world.note(owner.id() + " uses " + address);
                checker.used(address, new Checker.User(owner.id(), true));
                process.sleep(world.upTo(LONGEST_REST));
                checker.unused(address);
            });
            release(owner.id());
            gone.add(owner.id());
            if (gone.size() > REMEMBERED) {
                gone.removeFirst();
            }
            // An allocation may have come after the release, so that is repeated.
            release(gone.get(world.random().nextInt(gone.size())));
        }
    }

    private AddressWish wish() {
        return switch (world.random().nextInt(6)) {
            case 0 -> new AddressWish.Any(IpFamily.V4, IpamSimulation.FLIPPING.name());
            case 1, 2 -> new AddressWish.Any(IpFamily.V4, AddressWish.ANY_POOL);
            case 3 ->
                new AddressWish.This(
                        IpamSimulation.SINGLE
                                .cidr()
                                .address()
                                .plus(world.random().nextInt(4)),
                        AddressWish.ANY_POOL);
            default -> new AddressWish.Any(IpFamily.V4, IpamSimulation.SINGLE.name());
        };
    }

    /** Asks once; empty when it was refused or not answered. */
    private Optional<IpAddress> allocate(AddressOwner owner, AddressWish wish) {
        simulation.done();
        Map<ErrorReason, Checker.Witness> refusals = new EnumMap<>(ErrorReason.class);
        refusals.put(ErrorReason.EXHAUSTED, checker.witness(ledger -> noneFree(ledger, wish)));
        refusals.put(
                ErrorReason.NOT_FOUND,
                checker.witness(ledger -> ledger.pool(wish.pool()).isEmpty()));
        refusals.put(ErrorReason.OWNED_BY_OTHER, checker.witness(ledger -> ofOther(ledger, wish, owner)));
        try {
            List<SingleAddress> given = simulation.ask(
                    process,
                    "allocate " + wish + " for " + owner.id(),
                    TIMEOUT,
                    true,
                    replica -> replica.allocate(owner, List.of(wish)));
            Checker.require(
                    given.size() == 1 && wish.granted(given.getFirst()), owner + " wished " + wish + ", got " + given);
            return Optional.of(given.getFirst().address());
        } catch (Network.Unanswered _) {
            return Optional.empty();
        } catch (ServiceException e) {
            Checker.Witness refusal = refusals.get(e.reason());
            if (refusal != null) {
                refusal.mustHaveSeen(e.getMessage());
            }
            return Optional.empty();
        } finally {
            refusals.values().forEach(checker::dismiss);
        }
    }

    private static boolean noneFree(Ledger ledger, AddressWish wish) {
        return Checker.noAddressFree(
                ledger,
                pool -> wish.pool().equals(AddressWish.ANY_POOL) || wish.pool().equals(pool.name()));
    }

    private static boolean ofOther(Ledger ledger, AddressWish wish, AddressOwner owner) {
        return wish instanceof AddressWish.This(IpAddress address, String _)
                && ledger.address(address)
                        .map(SingleAddress::use)
                        .flatMap(AddressUse::user)
                        .filter(other -> !other.equals(owner))
                        .isPresent();
    }

    private void release(String id) {
        while (true) {
            simulation.done();
            Checker.Witness none =
                    checker.witness(ledger -> ledger.addressesOf(id).isEmpty());
            try {
                var _ = simulation.ask(
                        process, "release of all by " + id, TIMEOUT, true, replica -> replica.release(id, List.of()));
                none.mustHaveSeen("it is answered that " + id + " has no address");
                return;
            } catch (Network.Unanswered _) {
                checker.dismiss(none);
                process.sleep(world.upTo(LONGEST_REST));
            }
        }
    }
}
