package io.podwire.e2e.ipam.history;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * Decides whether histories are linearizable: whether each operation can have taken effect at one moment
 * between its call and its answer. The search is Wing and Gong's (Testing and Verifying Concurrent Objects,
 * 1993) with Lowe's memory of the places it has been to (Testing for Linearizability, 2017). Blocks are judged
 * one by one, which is enough: a history is linearizable when that of each of its objects is (Herlihy and Wing,
 * 1990).
 */
public final class Linearizability {
    private Linearizability() {}

    /**
     * Judges each block on its own.
     *
     * @param histories operations by block, in any order
     * @return the blocks whose history is broken, with the reason
     */
    public static Map<String, Verdict.Broken> broken(Map<String, List<Operation>> histories) {
        Map<String, Verdict.Broken> broken = new TreeMap<>();
        histories.forEach((block, operations) -> {
            if (check(operations) instanceof Verdict.Broken verdict) {
                broken.put(block, verdict);
            }
        });
        return broken;
    }

    /**
     * Judges the history of one block, which is free at first.
     *
     * @param operations in any order
     * @throws IllegalArgumentException when two of them share a moment
     */
    public static Verdict check(Collection<Operation> operations) {
        return new Search(operations).run();
    }

    /** A call or an answer, in the list of those that the order found so far does not cover. */
    private static final class Event {
        private final Operation operation;
        private final int index;
        private final boolean call;
        private final long moment;
        private Event before;
        private Event after;
        /** Of a call: its answer, or null where that never came. */
        private Event answer;

        Event(Operation operation, int index, boolean call) {
            this.operation = operation;
            this.index = index;
            this.call = call;
            this.moment = call ? operation.invoked() : operation.answered();
        }

        void remove() {
            before.after = after;
            if (after != null) {
                after.before = before;
            }
        }

        void putBack() {
            before.after = this;
            if (after != null) {
                after.before = this;
            }
        }
    }

    /** An operation that was given its place, and the state before it. */
    private record Placed(Event call, BlockState before) {}

    /** What decides about all that can follow. */
    private record Place(BitSet placed, BlockState state) {}

    /** One search; used by one thread, once. */
    private static final class Search {
        private final Event head = new Event(new Operation(new Deed.Look(new BlockState.Free()), 0, 1), -1, true);
        private final Deque<Placed> order = new ArrayDeque<>();
        private final BitSet placed;
        private final Set<Place> seen = new HashSet<>();
        private BlockState state = new BlockState.Free();
        private int certainLeft;
        private Verdict.Broken furthest;

        Search(Collection<Operation> operations) {
            placed = new BitSet(operations.size());
            List<Event> events = new ArrayList<>();
            for (Operation operation : operations) {
                Event call = new Event(operation, events.size(), true);
                events.add(call);
                if (operation.certain()) {
                    call.answer = new Event(operation, call.index, false);
                    events.add(call.answer);
                    certainLeft++;
                }
            }
            events.sort(Comparator.comparingLong(event -> event.moment));
            Event last = head;
            for (Event event : events) {
                if (last != head && last.moment == event.moment) {
                    throw new IllegalArgumentException("two operations share moment " + event.moment + ": "
                            + last.operation + " and " + event.operation);
                }
                last.after = event;
                event.before = last;
                last = event;
            }
        }

        Verdict run() {
            Event event = head.after;
            while (certainLeft > 0) {
                // The end of the list is not met here: the answer of an operation without a place is in it.
                if (event.call) {
                    event = place(event) ? head.after : event.after;
                } else {
                    // An answer: its operation has to take effect before all that was called later, and cannot.
                    remember(event);
                    if (order.isEmpty()) {
                        return furthest;
                    }
                    event = takeBack().after;
                }
            }
            return new Verdict.Linearizable(soFar());
        }

        private boolean place(Event call) {
            Optional<BlockState> next = call.operation.deed().on(state);
            if (next.isEmpty()) {
                return false;
            }
            placed.set(call.index);
            if (!seen.add(new Place((BitSet) placed.clone(), next.get()))) {
                placed.clear(call.index);
                return false;
            }
            order.addLast(new Placed(call, state));
            state = next.get();
            call.remove();
            if (call.answer != null) {
                call.answer.remove();
                certainLeft--;
            }
            return true;
        }

        private Event takeBack() {
            Placed last = order.removeLast();
            Event call = last.call;
            state = last.before;
            placed.clear(call.index);
            // In the reverse order of removal, so that each finds its neighbours as it left them.
            if (call.answer != null) {
                call.answer.putBack();
                certainLeft++;
            }
            call.putBack();
            return call;
        }

        private void remember(Event answer) {
            if (furthest == null || order.size() > furthest.furthest().size()) {
                furthest = new Verdict.Broken(soFar(), state, answer.operation);
            }
        }

        private List<Operation> soFar() {
            return order.stream().map(one -> one.call.operation).toList();
        }
    }
}
