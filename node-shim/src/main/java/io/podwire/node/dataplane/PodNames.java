package io.podwire.node.dataplane;

import com.google.common.hash.Hashing;
import com.google.common.io.BaseEncoding;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.NodeName;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.LinkKind;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.Gateway;
import io.podwire.node.plan.WiringMode;
import io.podwire.node.plan.WiringMode.Macvlan.Reach;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;

/**
 * Names of kernel objects, so that a restarted node-shim with no memory knows what is its own: a
 * host link is called after its endpoint's hash and carries the endpoint in clear in its alias.
 */
public final class PodNames {
    /** What the names of Podwire's links begin with. */
    static final String PREFIX = "pw";

    /** The bridge of all pods. */
    public static final String BRIDGE = "pw0";
    /** The VXLAN device. */
    public static final String VXLAN = "pwvx";
    /**
     * The bridge's MAC address: the same on every node, since no two bridges share a link. Pods' begin
     * with 02:70 or 02:76.
     */
    public static final MacAddress BRIDGE_MAC = MacAddress.locallyAdministered(0x71_7730_0001L);
    /** The pods' gateway, on the bridge. */
    public static final IpAddress GATEWAY = Gateway.V4;
    /** The pods' IPv6 gateway, on the bridge. */
    public static final IpAddress GATEWAY_6 = Gateway.V6;

    private static final String ALIAS_PREFIX = "podwire ";
    // IFALIASZ is 256 with its NUL, linux/if.h.
    private static final int MAX_ALIAS = 255;
    private static final BaseEncoding BASE32 = BaseEncoding.base32().lowerCase().omitPadding();

    private static final Pattern IFB = Pattern.compile("pi[a-z2-7]{13}");
    /** The alphabet of {@link #hostIfname} has no 1: by this beginning the ruleset knows whom a packet comes from. */
    private static final String ROUTED_PREFIX = "pw1";

    private static final Pattern HOST_IFNAME = Pattern.compile("pw[a-z2-7]{13}|pw1[a-z2-7]{12}");
    private static final Pattern HOST_MACVLAN = Pattern.compile("pwm[vp][a-z2-7]{11}");

    private PodNames() {}

    /** Host end of an endpoint's veth pair: "pw" and 13 characters of base32, 65 bits of SHA-256. */
    public static String hostIfname(EndpointKey key) {
        return "pw" + hash(key).substring(0, 13);
    }

    /** The ifb that limits what an endpoint sends: "pi" and the same 13 characters. */
    public static String ifbName(EndpointKey key) {
        return "pi" + hash(key).substring(0, 13);
    }

    /** The same of a pair whose host end is no port of the bridge: "pw1" and 12 characters of that. */
    static String routedIfname(EndpointKey key) {
        return ROUTED_PREFIX + hash(key).substring(0, 12);
    }

    /**
     * The node's own macvlan on a device: "pwmv" and 11 characters for pods that may reach each other, "pwmp" for those
     * that may not.
     */
    static String hostMacvlan(String master, boolean isPrivate) {
        return (isPrivate ? "pwmp" : "pwmv") + hash("macvlan " + master).substring(0, 11);
    }

    /** Alias of the node's own macvlan on a device. */
    static String macvlanAlias(String master) {
        return ALIAS_PREFIX + "macvlan of the node on " + master;
    }

    /** Its MAC address: another on every node, since they share a link. */
    static MacAddress macvlanMac(String name, MacAddress master) {
        return MacAddress.locallyAdministered(Hashing.sha256()
                .hashString(name + " on " + master, StandardCharsets.UTF_8)
                .asLong());
    }

    /** The node's interface that packets of an attachment come in by. */
    public static String port(Attachment attachment) {
        return attachment.mode() instanceof WiringMode.Macvlan mode && mode.reach() != Reach.PASSTHRU
                ? hostMacvlan(mode.master(), mode.reach() == Reach.PRIVATE)
                : attachment.hostIfname();
    }

    private static String hash(EndpointKey key) {
        return hash(key.containerId() + '\0' + key.ifname());
    }

    private static String hash(String text) {
        return BASE32.encode(
                Hashing.sha256().hashString(text, StandardCharsets.UTF_8).asBytes());
    }

    /** Alias of an endpoint's host link. */
    public static String alias(EndpointKey key) {
        String alias = ALIAS_PREFIX + key;
        return alias.length() <= MAX_ALIAS ? alias : alias.substring(0, MAX_ALIAS);
    }

    /** The pods' gateway of a family. */
    public static IpAddress gateway(IpFamily family) {
        return Gateway.of(family);
    }

    /** True for the ifb of some pod, known or not. */
    static boolean isPodIfb(Link link) {
        return link.kind() instanceof LinkKind.Ifb
                && IFB.matcher(link.name()).matches()
                && (link.alias().isEmpty() || link.alias().startsWith(ALIAS_PREFIX));
    }

    /** True for the host link of some pod, known or not. */
    public static boolean isPodLink(Link link) {
        return link.kind() instanceof LinkKind.Veth
                && HOST_IFNAME.matcher(link.name()).matches()
                && link.alias().startsWith(ALIAS_PREFIX);
    }

    /** True for the host end of some pod's pair that is no port of the bridge. */
    static boolean isRoutedLink(Link link) {
        return isPodLink(link) && link.name().startsWith(ROUTED_PREFIX);
    }

    /** True for a macvlan of the node's own. */
    static boolean isHostMacvlan(Link link) {
        return link.kind() instanceof LinkKind.Macvlan
                && HOST_MACVLAN.matcher(link.name()).matches()
                && link.alias().startsWith(ALIAS_PREFIX);
    }

    /** True for a device of Podwire's own. */
    static boolean isOurs(Link link) {
        return link.name().equals(BRIDGE) || link.name().equals(VXLAN) || isPodLink(link) || isHostMacvlan(link);
    }

    /**
     * MAC address of a pod's interface, made of its IPv4 address or, where it has none, of its IPv6
     * address: unique on the node as long as the address is, and the same again when the address is. Of
     * an IPv6 address the last 32 bits count, mixed with a hash of the others: in two blocks that are no
     * part of one /96 the same one is as likely as for two random numbers of 32 bits.
     */
    public static MacAddress podMac(PodAddresses addresses) {
        IpAddress address = addresses.first();
        return switch (address.family()) {
            case V4 -> MacAddress.locallyAdministered(0x70_0000_0000L | address.low());
            case V6 -> {
                IpPrefix around = IpPrefix.containing(address, 96);
                int hash = Hashing.sha256()
                        .hashString("pod " + around, StandardCharsets.UTF_8)
                        .asInt();
                yield MacAddress.locallyAdministered(0x76_0000_0000L | ((address.low() ^ hash) & 0xFFFF_FFFFL));
            }
        };
    }

    /** MAC address of a node's VXLAN device, made of its name: it survives the device. */
    public static MacAddress vtepMac(NodeName node) {
        long hash = Hashing.sha256()
                .hashString("vtep " + node, StandardCharsets.UTF_8)
                .asLong();
        return MacAddress.locallyAdministered(hash);
    }
}
