package io.podwire.cli.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.cli.conformance.KernelState.Link;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Whether a result says what the kernel says. */
final class ResultTruth {
    private ResultTruth() {}

    /**
     * Where a result and the kernel differ; empty when they agree.
     *
     * @param result in any version
     * @param netns CNI_NETNS of the ADD
     * @param inside the container's namespace after the ADD
     * @param outside the host's
     */
    static List<String> differences(
            JsonNode result, String netns, String ifname, KernelState inside, KernelState outside) {
        List<String> differences = new ArrayList<>();
        Set<String> ours = new HashSet<>(Set.of(ifname));
        List<JsonNode> interfaces = list(result.path("interfaces"));
        for (JsonNode one : interfaces) {
            boolean contained = !one.path("sandbox").asText("").isEmpty();
            if (contained && !one.path("sandbox").asText().equals(netns)) {
                continue;
            }
            String name = one.path("name").asText();
            if (contained) {
                ours.add(name);
            }
            Optional<Link> link = (contained ? inside : outside).link(name);
            String where = "interface " + name + (contained ? " in the container" : " on the host");
            if (link.isEmpty()) {
                differences.add(where + " is in the result and not in the kernel");
                continue;
            }
            compare(one, "mac", link.get().mac(), where, differences);
            compare(one, "mtu", String.valueOf(link.get().mtu()), where, differences);
        }
        for (JsonNode ip : list(result.path("ips"))) {
            int index = ip.path("interface").asInt(-1);
            String device = index >= 0 && index < interfaces.size()
                    ? interfaces.get(index).path("name").asText()
                    : ifname;
            addresses(ip.path("address"), device, inside, differences);
        }
        routes(result.path("routes"), ours, inside, differences);
        for (String pair : List.of("ip4", "ip6")) {
            if (result.has(pair)) {
                addresses(result.path(pair).path("ip"), ifname, inside, differences);
                routes(result.path(pair).path("routes"), ours, inside, differences);
            }
        }
        return differences;
    }

    private static void compare(JsonNode one, String key, String is, String where, List<String> differences) {
        String said = one.path(key).asText("");
        if (!said.isEmpty() && !said.equalsIgnoreCase(is)) {
            differences.add(where + " has " + key + " " + is + ", the result says " + said);
        }
    }

    private static void addresses(JsonNode cidr, String device, KernelState inside, List<String> differences) {
        Optional<Cidr> said = Cidr.of(cidr.asText(""));
        boolean there = inside.link(device)
                .map(link -> said.map(link.addresses()::contains).orElse(true))
                .orElse(false);
        if (!there) {
            differences.add("address " + cidr.asText() + " is in the result and not on " + device);
        }
    }

    /** The specification: "routes created by this attachment", so they leave by one of its interfaces. */
    private static void routes(JsonNode routes, Set<String> devices, KernelState inside, List<String> differences) {
        for (JsonNode route : list(routes)) {
            String gateway = route.path("gw").asText("");
            boolean there = Cidr.of(route.path("dst").asText(""))
                    .map(destination -> inside.routes().stream()
                            .anyMatch(r -> r.destination().equals(destination)
                                    && devices.contains(r.device())
                                    && (gateway.isEmpty()
                                            || Cidr.address(gateway).equals(Cidr.address(r.gateway())))))
                    .orElse(true);
            if (!there) {
                differences.add("route " + route.path("dst").asText() + " is in the result, and the kernel has none by "
                        + String.join(" or ", devices));
            }
        }
    }

    private static List<JsonNode> list(JsonNode array) {
        List<JsonNode> members = new ArrayList<>();
        array.forEach(members::add);
        return members;
    }
}
