package io.podwire.node.cni.request;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.node.plan.WiringMode;
import io.podwire.node.plan.WiringMode.Ipvlan.Layer;
import io.podwire.node.plan.WiringMode.Macvlan.Reach;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Pattern;

/**
 * Reads how pods of a configuration are wired. Pure.
 *
 * <p>{@code mode} names it; without it {@code type} does, where that is the name of an official plugin that does the
 * same. Those of types macvlan and ipvlan call "mode" what is {@code macvlanMode} and {@code ipvlanMode} here, and are
 * understood.
 */
public final class WiringModeReader {
    private static final String MODE = "mode";
    private static final String MACVLAN_MODE = "macvlanMode";
    private static final String IPVLAN_MODE = "ipvlanMode";
    private static final String VLAN_ID = "vlanId";
    private static final String MASTER = "master";
    private static final int LAST_VLAN = 4094;
    /** IFNAMSIZ, linux/if.h, and what dev_valid_name() refuses. */
    private static final Pattern DEVICE = Pattern.compile("[!-~&&[^/:%]]{0,15}");

    private WiringModeReader() {}

    /**
     * Reads the mode.
     *
     * @param config the network configuration; not changed
     * @throws RequestException naming the key and what is allowed
     */
    public static WiringMode read(ObjectNode config) throws RequestException {
        return read(CaselessObject.of("", config));
    }

    static WiringMode read(CaselessObject config) throws RequestException {
        String said = config.text(MODE).toLowerCase(Locale.ROOT);
        String type = config.text("type");
        return switch (type) {
            case "macvlan" ->
                isConstant(Reach.values(), said) ? macvlan(config, MODE) : named(config, said.isEmpty() ? type : said);
            case "ipvlan" ->
                isConstant(Layer.values(), said) ? ipvlan(config, MODE) : named(config, said.isEmpty() ? type : said);
            case "ptp" -> named(config, said.isEmpty() ? "routed" : said);
            case "vlan" -> named(config, said.isEmpty() ? type : said);
            case "host-device" ->
                throw RequestException.unsupported(
                        "type host-device", "a device of the node stays there; put pods on it by mode macvlan");
            default -> named(config, said.isEmpty() ? "bridge" : said);
        };
    }

    private static WiringMode named(CaselessObject config, String name) throws RequestException {
        return switch (name) {
            case "bridge" -> new WiringMode.Bridge();
            case "routed" -> new WiringMode.Routed();
            case "macvlan" -> macvlan(config, MACVLAN_MODE);
            case "ipvlan" -> ipvlan(config, IPVLAN_MODE);
            case "vlan" -> vlan(config);
            default ->
                throw RequestException.invalid(
                        config.at(MODE), "it must be one of " + WiringMode.NAMES + ", got \"" + name + "\"");
        };
    }

    private static WiringMode macvlan(CaselessObject config, String key) throws RequestException {
        return new WiringMode.Macvlan(
                master(config), constant(config, key, Reach.values(), Reach.BRIDGE), config.flag("promiscMode"));
    }

    private static WiringMode ipvlan(CaselessObject config, String key) throws RequestException {
        return new WiringMode.Ipvlan(master(config), constant(config, key, Layer.values(), Layer.L2));
    }

    private static WiringMode vlan(CaselessObject config) throws RequestException {
        OptionalLong id = config.number(VLAN_ID, 1, LAST_VLAN);
        if (id.isEmpty()) {
            throw RequestException.invalid(config.at(VLAN_ID), "mode vlan needs it, 1 to " + LAST_VLAN);
        }
        return new WiringMode.Vlan(master(config), (int) id.getAsLong());
    }

    private static String master(CaselessObject config) throws RequestException {
        String master = config.text(MASTER);
        if (!DEVICE.matcher(master).matches()) {
            throw RequestException.invalid(
                    config.at(MASTER),
                    "it must be a device's name, 1 to 15 visible ASCII characters without '/', ':' and '%', or missing for"
                            + " that of the default route");
        }
        return master;
    }

    private static <E extends Enum<E>> E constant(CaselessObject config, String key, E[] all, E otherwise)
            throws RequestException {
        String said = config.text(key);
        Optional<E> found = said.isEmpty() ? Optional.of(otherwise) : find(all, said);
        return found.orElseThrow(() -> RequestException.invalid(
                config.at(key), "it must be one of " + WiringMode.keywords(all) + ", got \"" + said + "\""));
    }

    private static boolean isConstant(Enum<?>[] all, String said) {
        return Arrays.stream(all).anyMatch(one -> one.name().equalsIgnoreCase(said));
    }

    private static <E extends Enum<E>> Optional<E> find(E[] all, String said) {
        return Arrays.stream(all)
                .filter(one -> one.name().equalsIgnoreCase(said))
                .findFirst();
    }
}
