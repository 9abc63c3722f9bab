package io.podwire.e2e.ipam.sim;

import io.podwire.common.error.ServiceException;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import java.util.function.Supplier;

/**
 * Carries calls: their messages are delayed, so that later ones overtake them, lost, carried twice, or stopped at a
 * partition.
 */
final class Network {
    private static final Duration USUAL = Duration.ofMillis(5);
    private static final Duration LONGEST = Duration.ofSeconds(8);

    private final World world;
    private Set<String> cutOff = Set.of();
    /** Each cut off from everybody else, besides. */
    private final Set<String> alone = new HashSet<>();

    private boolean faults = true;

    Network(World world) {
        this.world = world;
    }

    /** No answer came in time: the call may have had its effect, may have it later, or never. */
    static final class Unanswered extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Unanswered(String what) {
            super(what, null, false, false);
        }
    }

    /** Cuts these machines off from all others, in place of those that were. */
    void cutOff(Set<String> machines) {
        cutOff = Set.copyOf(machines);
        world.note("cut off: " + machines.stream().sorted().toList());
    }

    /** Cuts one machine off, also when others are. */
    void isolate(String machine) {
        alone.add(machine);
        world.note("alone: " + machine);
    }

    /** Ends that. */
    void rejoin(String machine) {
        alone.remove(machine);
        world.note("not alone any more: " + machine);
    }

    /** Ends all faults. */
    void heal() {
        faults = false;
        cutOff = Set.of();
        alone.clear();
    }

    private static final class Reply<T> {
        private final World.Signal signal = new World.Signal();
        private T value;
        private RuntimeException failure;
        private boolean there;

        void give(T result, RuntimeException error) {
            if (!there) {
                there = true;
                value = result;
                failure = error;
                signal.give();
            }
        }
    }

    /**
     * Calls from a process, and waits.
     *
     * @param to the machine
     * @param twice whether the request may come there twice
     * @param body runs there
     * @throws Unanswered after the timeout
     * @throws ServiceException of the body
     */
    <T> T call(Program from, String to, String what, Duration timeout, boolean twice, Supplier<T> body) {
        Reply<T> reply = new Reply<>();
        int copies = faults && twice && world.oneIn(8) ? 2 : 1;
        for (int i = 0; i < copies; i++) {
            send(
                    from.name(),
                    to,
                    what,
                    () -> world.start(() -> {
                        T value = null;
                        RuntimeException failure = null;
                        try {
                            value = body.get();
                        } catch (ServiceException e) {
                            failure = e;
                        }
                        T result = value;
                        RuntimeException error = failure;
                        send(to, from.name(), "answer to " + what, () -> reply.give(result, error));
                    }));
        }
        world.after(timeout, () -> reply.give(null, new Unanswered(what)));
        reply.signal.await();
        from.check();
        if (reply.failure != null) {
            throw reply.failure;
        }
        return reply.value;
    }

    private void send(String from, String to, String what, Runnable delivered) {
        if (faults && world.oneIn(40)) {
            world.note("lost on the way from " + from + " to " + to + ": " + what);
            return;
        }
        world.after(world.upTo(faults && world.oneIn(20) ? LONGEST : USUAL), () -> {
            if (cutOff.contains(from) != cutOff.contains(to) || alone.contains(from) || alone.contains(to)) {
                world.note("stopped on the way from " + from + " to " + to + ": " + what);
                return;
            }
            world.note(from + " -> " + to + ": " + what);
            delivered.run();
        });
    }
}
