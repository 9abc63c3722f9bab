package io.podwire.node.service;

import io.podwire.common.net.IpFamily;
import io.podwire.node.netlink.nft.NftMessage;
import io.podwire.node.netlink.nft.Octets;
import io.podwire.node.netlink.nft.SetElement;
import io.podwire.node.netlink.nft.SetElements;
import io.podwire.node.service.ServiceChains.Needed;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What turns some members into others, in an order in which the kernel may be left at any step: whoever finds a choice
 * finds all the endpoints that it counts.
 *
 * @param chains that must be there before
 * @param steps in order; each is done as a whole or not at all
 */
public record ServiceChange(Map<String, Needed> chains, List<Step> steps) {
    /** Below what a message to the kernel can hold, 65535. */
    private static final int MESSAGE_BYTES = 48 * 1024;
    /** Attributes around an element's key and value. */
    private static final int ELEMENT_BYTES = 28;

    /**
     * Members of one map.
     *
     * @param remove that must be there
     * @param add that must not be there, but for those that are removed
     */
    public record Step(List<Member.Place> remove, List<Member> add) {
        /** Copies. */
        public Step {
            remove = List.copyOf(remove);
            add = List.copyOf(add);
        }
    }

    /**
     * The change between what is there and what has to be.
     *
     * @param chains that the members of {@code next} lead to
     */
    static ServiceChange between(
            Map<Member.Place, Member.Value> before, Map<Member.Place, Member.Value> next, Map<String, Needed> chains) {
        List<Step> steps = new ArrayList<>();
        List<Member.Place> gone = new ArrayList<>();
        List<Member> come = new ArrayList<>();
        next.forEach((place, value) -> {
            Member.Value was = before.get(place);
            if (!value.equals(was)) {
                come.add(new Member(place, value));
            }
        });
        before.keySet().stream().filter(place -> !next.containsKey(place)).forEach(gone::add);
        come.sort(Comparator.comparing(member -> member.place().map()));
        for (Member member : come) {
            steps.add(new Step(
                    before.containsKey(member.place()) ? List.of(member.place()) : List.of(), List.of(member)));
        }
        gone.sort(Comparator.comparing(Member.Place::map).reversed());
        gone.forEach(place -> steps.add(new Step(List.of(place), List.of())));
        return new ServiceChange(chains, steps);
    }

    /** True when nothing changes. */
    public boolean isEmpty() {
        return steps.isEmpty();
    }

    /** How many members come, go, or lead elsewhere. */
    public int size() {
        return steps.size();
    }

    /** The steps as messages, in transactions that each fit into one. */
    public List<List<SetElements>> transactions() {
        List<List<SetElements>> transactions = new ArrayList<>();
        Draft draft = new Draft();
        for (Step step : steps) {
            if (draft.bytes + bytes(step) > MESSAGE_BYTES) {
                transactions.add(draft.done());
                draft = new Draft();
            }
            draft.add(step);
        }
        if (draft.bytes > 0) {
            transactions.add(draft.done());
        }
        return transactions;
    }

    private static int bytes(Step step) {
        int bytes = 0;
        for (Member.Place place : step.remove()) {
            bytes += ELEMENT_BYTES + place.key().length();
        }
        for (Member member : step.add()) {
            bytes += ELEMENT_BYTES
                    + member.place().key().length()
                    + switch (member.value()) {
                        case Member.None _ -> 0;
                        case Member.Chain(String name, boolean _) -> 24 + name.length();
                        case Member.Data(var octets) -> 8 + octets.length();
                    };
        }
        return bytes + 2 * ELEMENT_BYTES;
    }

    /** One transaction in the making: neighbours that do the same to the same map are one message. */
    private static final class Draft {
        private record Run(ServiceMap map, IpFamily family, boolean delete, List<SetElement> elements) {}

        private final List<Run> runs = new ArrayList<>();
        private int bytes;

        void add(Step step) {
            bytes += bytes(step);
            step.remove()
                    .forEach(place -> put(place, true, new SetElement(place.key(), Optional.empty(), Octets.of())));
            step.add().forEach(member -> put(member.place(), false, member.toElement()));
        }

        private void put(Member.Place place, boolean delete, SetElement element) {
            Run last = runs.isEmpty() ? null : runs.getLast();
            if (last == null
                    || last.map() != place.map()
                    || last.family() != place.family()
                    || last.delete() != delete) {
                last = new Run(place.map(), place.family(), delete, new ArrayList<>());
                runs.add(last);
            }
            last.elements().add(element);
        }

        List<SetElements> done() {
            return runs.stream()
                    .map(run -> new SetElements(
                            NftMessage.INET,
                            ServiceChains.TABLE,
                            run.map().name(run.family()),
                            run.delete(),
                            run.elements()))
                    .toList();
        }
    }
}
