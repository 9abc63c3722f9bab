package io.podwire.cli.lab;

import java.util.ArrayList;
import java.util.List;

/** Makes the namespaces of a topology and wires them, with iproute2's batch mode. */
final class Underlay {
    static final String CONTROL = "control";
    private static final String ROUTER = "router";
    private static final String LAB_LINK = "lab";

    private Underlay() {}

    /** Makes everything; the sandbox's end removes it. */
    static void create(Topology topology) {
        List<String> links = new ArrayList<>(List.of(
                "netns add " + ROUTER,
                "netns add " + CONTROL,
                "link add eth0 netns " + CONTROL + " type veth peer name " + CONTROL + " netns " + ROUTER,
                "link add " + LAB_LINK + " type veth peer name " + LAB_LINK + " netns " + ROUTER));
        List<String> router = new ArrayList<>(List.of("link set lo up"));
        for (Topology.Subnet subnet : Topology.Subnet.values()) {
            router.add("link add " + subnet.bridge() + " type bridge");
            router.add("addr add " + subnet.gateway() + "/" + Topology.SUBNET_LENGTH + " dev " + subnet.bridge());
            router.add("link set " + subnet.bridge() + " up");
        }
        router.add(port(CONTROL, Topology.Subnet.A));
        router.add(port(LAB_LINK, Topology.Subnet.A));
        for (Topology.Node node : topology.nodes()) {
            links.add("netns add " + node.name());
            links.add(
                    "link add eth0 netns " + node.name() + " type veth peer name " + node.name() + " netns " + ROUTER);
            router.add(port(node.name(), node.subnet()));
        }
        batch(List.of("ip", "-batch", "-"), links);
        batch(List.of("ip", "-n", ROUTER, "-batch", "-"), router);
        Tool.output("nsenter", "--net=/run/netns/" + ROUTER, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward");
        batch(List.of("ip", "-batch", "-"), host(LAB_LINK, Topology.LAB_ADDRESS, Topology.Subnet.A));
        batch(List.of("ip", "-n", CONTROL, "-batch", "-"), host("eth0", Topology.CONTROL_ADDRESS, Topology.Subnet.A));
        for (Topology.Node node : topology.nodes()) {
            batch(List.of("ip", "-n", node.name(), "-batch", "-"), host("eth0", node.address(), node.subnet()));
        }
    }

    private static String port(String link, Topology.Subnet subnet) {
        return "link set " + link + " master " + subnet.bridge() + " up";
    }

    private static List<String> host(String link, String address, Topology.Subnet subnet) {
        return List.of(
                "link set lo up",
                "addr add " + address + "/" + Topology.SUBNET_LENGTH + " dev " + link,
                "link set " + link + " up",
                "route add default via " + subnet.gateway());
    }

    private static void batch(List<String> command, List<String> lines) {
        Tool.output(String.join("\n", lines) + "\n", command);
    }
}
