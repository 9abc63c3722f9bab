package io.podwire.node.plan;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** How a pod is wired to its node: what an attachment is filed with, and as which text. */
public sealed interface WiringMode {
    /** A veth pair, its host end a port of the pods' bridge. */
    record Bridge() implements WiringMode {}

    /** A veth pair, its host end a link of its own. */
    record Routed() implements WiringMode {}

    /**
     * A macvlan of the pod's own.
     *
     * @param master the node's device that it is on; empty text: that of the default route
     * @param reach whom on that device it reaches
     * @param promiscuous whether it takes every frame that comes to it
     */
    record Macvlan(String master, Reach reach, boolean promiscuous) implements WiringMode {
        /** Whom on its device a macvlan reaches. */
        public enum Reach {
            /** All of this kind, without leaving the node. */
            BRIDGE,
            /** None. */
            PRIVATE,
            /** Those that an outside switch sends its frames back to. */
            VEPA,
            /** There are none: it has the device for itself. */
            PASSTHRU
        }
    }

    /**
     * An ipvlan of the pod's own.
     *
     * @param master the node's device that it is on; empty text: that of the default route
     * @param layer what tells its packets from others'
     */
    record Ipvlan(String master, Layer layer) implements WiringMode {
        /** What an ipvlan's packets are told from others' by. */
        public enum Layer {
            /** By address, among frames. */
            L2,
            /** By address, among packets, past the node's netfilter hooks. */
            L3,
            /** As L3, through these hooks. */
            L3S
        }
    }

    /**
     * The frames of one VLAN.
     *
     * @param master the node's device that carries it; empty text: that of the default route
     * @param id 1 to 4094
     */
    record Vlan(String master, int id) implements WiringMode {}

    /** The modes' names, for messages. */
    List<String> NAMES = List.of("bridge", "routed", "macvlan", "ipvlan", "vlan");

    /** How the node sees packets of a pod come in. */
    enum HostSide {
        /** By a port of the pods' bridge. */
        BRIDGE_PORT,
        /** By a link of the pod alone. */
        OWN_LINK,
        /** By the node's own macvlan on the pod's device, as those of others; frames to these pass the node by. */
        SHARED_DEVICE,
        /** Not at all, but as packets of any other machine on that device. */
        NONE
    }

    /** Its name in a configuration. */
    default String name() {
        return switch (this) {
            case Bridge _ -> "bridge";
            case Routed _ -> "routed";
            case Macvlan _ -> "macvlan";
            case Ipvlan _ -> "ipvlan";
            case Vlan _ -> "vlan";
        };
    }

    /** The node's device that it is on, its master; empty where it needs none. */
    default Optional<String> device() {
        return switch (this) {
            case Bridge _, Routed _ -> Optional.empty();
            case Macvlan m -> Optional.of(m.master());
            case Ipvlan m -> Optional.of(m.master());
            case Vlan m -> Optional.of(m.master());
        };
    }

    /** The same on this device. */
    default WiringMode on(String master) {
        return switch (this) {
            case Bridge _, Routed _ -> this;
            case Macvlan m -> new Macvlan(master, m.reach(), m.promiscuous());
            case Ipvlan m -> new Ipvlan(master, m.layer());
            case Vlan m -> new Vlan(master, m.id());
        };
    }

    /** How the node sees its packets. */
    default HostSide hostSide() {
        return switch (this) {
            case Bridge _ -> HostSide.BRIDGE_PORT;
            case Routed _ -> HostSide.OWN_LINK;
            case Macvlan m -> m.reach() == Macvlan.Reach.PASSTHRU ? HostSide.NONE : HostSide.SHARED_DEVICE;
            case Ipvlan _, Vlan _ -> HostSide.NONE;
        };
    }

    /** Text that {@link #parse} reads: a name, then what belongs to it, separated by '/', which no device's name has. */
    default String text() {
        return switch (this) {
            case Bridge _, Routed _ -> name();
            case Macvlan m ->
                "macvlan/" + keyword(m.reach()) + "/" + m.master() + (m.promiscuous() ? "/promiscuous" : "");
            case Ipvlan m -> "ipvlan/" + keyword(m.layer()) + "/" + m.master();
            case Vlan m -> "vlan/" + m.id() + "/" + m.master();
        };
    }

    /**
     * Reads what {@link #text} wrote; empty text is that of a release that knew one mode.
     *
     * @throws IllegalArgumentException when it is not that
     */
    static WiringMode parse(String text) {
        String[] parts = text.split("/", -1);
        switch (parts[0]) {
            case "", "bridge" -> {
                return new Bridge();
            }
            case "routed" -> {
                return new Routed();
            }
            case "macvlan" -> {
                if (parts.length == 3 || (parts.length == 4 && parts[3].equals("promiscuous"))) {
                    return new Macvlan(parts[2], constant(Macvlan.Reach.class, parts[1]), parts.length == 4);
                }
            }
            case "ipvlan" -> {
                if (parts.length == 3) {
                    return new Ipvlan(parts[2], constant(Ipvlan.Layer.class, parts[1]));
                }
            }
            case "vlan" -> {
                if (parts.length == 3) {
                    return new Vlan(parts[2], Integer.parseInt(parts[1]));
                }
            }
            default -> {}
        }
        throw new IllegalArgumentException("'" + text + "' is no wiring mode");
    }

    private static <E extends Enum<E>> E constant(Class<E> of, String keyword) {
        return Enum.valueOf(of, keyword.toUpperCase(Locale.ROOT));
    }

    /** The keyword of a submode. */
    private static String keyword(Enum<?> submode) {
        return submode.name().toLowerCase(Locale.ROOT);
    }

    /** Submodes by their keywords, for messages. */
    static String keywords(Enum<?>[] submodes) {
        return Arrays.stream(submodes).map(WiringMode::keyword).collect(Collectors.joining(", "));
    }
}
