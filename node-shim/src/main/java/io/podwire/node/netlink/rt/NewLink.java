package io.podwire.node.netlink.rt;

import io.podwire.common.net.MacAddress;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A network device to be made.
 *
 * @param name 1 to 15 bytes
 * @param kind what it shall be
 * @param mac its address; the kernel draws one when empty
 * @param mtu bytes; the kernel's choice when empty
 * @param master ifindex of the bridge that it joins
 * @param up whether it is set up at once
 * @param alias free text, at most 255 bytes
 */
public record NewLink(
        String name,
        NewLinkKind kind,
        Optional<MacAddress> mac,
        OptionalInt mtu,
        OptionalInt master,
        boolean up,
        Optional<String> alias) {
    /** IFALIASZ - 1, linux/if.h: what one ifalias holds. */
    private static final int ALIAS_BYTES = 255;

    /** Checks name and alias. */
    public NewLink {
        checkName(name);
        if (kind instanceof NewLinkKind.Veth veth) {
            checkName(veth.peerName());
        }
        alias.ifPresent(NewLink::checkAlias);
    }

    /** IFNAMSIZ, linux/if.h; '%' would make the kernel number the device, the rest dev_valid_name() refuses. */
    static void checkName(String name) {
        boolean valid = !name.isEmpty()
                && name.length() <= 15
                && !name.equals(".")
                && !name.equals("..")
                && name.chars().allMatch(c -> c > ' ' && c < 0x7F && c != '/' && c != ':' && c != '%');
        if (!valid) {
            throw new IllegalArgumentException("'" + name + "' is not a device name: 1 to 15 visible ASCII characters"
                    + " without '/', ':' and '%'");
        }
    }

    static void checkAlias(String alias) {
        if (alias.getBytes(StandardCharsets.UTF_8).length > ALIAS_BYTES) {
            throw new IllegalArgumentException("an alias has at most " + ALIAS_BYTES + " bytes, got '" + alias + "'");
        }
    }
}
