package io.podwire.node.service;

import io.podwire.common.net.IpFamily;
import io.podwire.node.netlink.nft.Octets;
import io.podwire.node.netlink.nft.SetElement;
import io.podwire.node.netlink.nft.SetVerdict;
import java.util.Optional;

/**
 * What is in a set or map.
 *
 * @param place where
 * @param value what it leads to
 */
public record Member(Place place, Value value) {
    /**
     * Which member.
     *
     * @param map of that family
     * @param family of the map
     * @param key as the kernel has it
     */
    public record Place(ServiceMap map, IpFamily family, Octets key) {}

    /** What a member leads to. */
    public sealed interface Value {}

    /** Nothing: it is a member of a set. */
    public record None() implements Value {}

    /** A chain that decides. */
    public record Chain(String name, boolean jump) implements Value {}

    /** An endpoint. */
    public record Data(Octets octets) implements Value {}

    /** Of a set. */
    public static final Value NONE = new None();

    /** The member, to be added. */
    public SetElement toElement() {
        return switch (value) {
            case None _ -> new SetElement(place.key(), Optional.empty(), Octets.of());
            case Chain(String chain, boolean jump) ->
                new SetElement(
                        place.key(),
                        Optional.of(new SetVerdict(jump ? SetVerdict.JUMP : SetVerdict.GOTO, chain)),
                        Octets.of());
            case Data(Octets octets) -> new SetElement(place.key(), Optional.empty(), octets);
        };
    }
}
