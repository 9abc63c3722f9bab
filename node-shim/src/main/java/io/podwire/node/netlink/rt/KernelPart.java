package io.podwire.node.netlink.rt;

/**
 * A part of the kernel that may be missing, as a module or altogether.
 *
 * @param name what it is, in words
 * @param module what modprobe(8) loads it by; the kernel tries that by itself, where the module is installed
 * @param option the kernel's configuration option for it
 */
public record KernelPart(String name, String module, String option) {
    /** What {@link TokenBucket} needs. */
    public static final KernelPart TOKEN_BUCKET =
            new KernelPart("queueing discipline tbf", "sch_tbf", "CONFIG_NET_SCH_TBF");
    /** What filters on incoming packets need. */
    public static final KernelPart INGRESS =
            new KernelPart("queueing discipline ingress", "sch_ingress", "CONFIG_NET_SCH_INGRESS");
    /** What {@link Classifier} needs, either of the two. */
    public static final KernelPart CLASSIFIER =
            new KernelPart("classifier u32 and no matchall", "cls_u32", "CONFIG_NET_CLS_U32");
    /** What {@link Redirect} needs. */
    public static final KernelPart MIRRED = new KernelPart("action mirred", "act_mirred", "CONFIG_NET_ACT_MIRRED");

    /** What a link of this kind needs. */
    public static KernelPart of(NewLinkKind kind) {
        return switch (kind) {
            case NewLinkKind.Veth _ -> new KernelPart("link kind veth", "veth", "CONFIG_VETH");
            case NewLinkKind.Bridge _ -> new KernelPart("link kind bridge", "bridge", "CONFIG_BRIDGE");
            case NewLinkKind.Vxlan _ -> new KernelPart("link kind vxlan", "vxlan", "CONFIG_VXLAN");
            case NewLinkKind.Macvlan _ -> new KernelPart("link kind macvlan", "macvlan", "CONFIG_MACVLAN");
            case NewLinkKind.Ipvlan _ -> new KernelPart("link kind ipvlan", "ipvlan", "CONFIG_IPVLAN");
            case NewLinkKind.Vlan _ -> new KernelPart("link kind vlan", "8021q", "CONFIG_VLAN_8021Q");
            case NewLinkKind.Ifb _ -> new KernelPart("link kind ifb", "ifb", "CONFIG_IFB");
        };
    }
}
