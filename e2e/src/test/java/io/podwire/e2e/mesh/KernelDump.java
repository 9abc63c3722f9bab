package io.podwire.e2e.mesh;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What a network namespace holds, as iproute2 and nft see it: links, addresses, routes, permanent
 * neighbours, FDB and ruleset, without what changes by itself (carrier, counters, timers) and without
 * what other nodes of the mesh cause: their blocks' routes and the way to their tunnels' ends come and go
 * with them, whatever this node does. Nor what a node keeps for its next pods: the routes that refuse what no pod has of
 * its blocks.
 *
 * @param lines one for each object, sorted
 */
public record KernelDump(List<String> lines) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Groups that the kernel joins by itself, some time after a link comes up. */
    private static final Pattern MULTICAST = Pattern.compile("^(33:33|01:00:5e):");

    /** RTPROT of Podwire's routes; those with a gateway lead to other nodes, and those that refuse stay with a block. */
    private static final String PODWIRE = "112";

    private static final String TUNNEL = "pwvx";

    /** Copies what could change. */
    public KernelDump {
        lines = List.copyOf(lines);
    }

    /** A look at a namespace. */
    public static KernelDump of(Path netns) {
        TreeSet<String> lines = new TreeSet<>();
        for (JsonNode link : json(netns, "ip -j -d link show")) {
            lines.add("link " + link.path("ifname").asText() + " master "
                    + link.path("master").asText() + " mtu " + link.path("mtu").asInt() + " mac "
                    + link.path("address").asText() + " up "
                    + link.path("flags").toString().contains("\"UP\"") + " alias '"
                    + link.path("ifalias").asText() + "' port "
                    + link.path("linkinfo").path("info_slave_data").path("isolated"));
        }
        for (JsonNode link : json(netns, "ip -j -4 addr show")) {
            link.path("addr_info")
                    .forEach(a -> lines.add("address " + a.path("local").asText() + "/"
                            + a.path("prefixlen").asInt() + " on "
                            + link.path("ifname").asText()));
        }
        json(netns, "ip -j -4 route show table all").forEach(route -> {
            if (route instanceof ObjectNode object) {
                object.remove("flags"); // linkdown comes and goes with the carrier
            }
            boolean isPods =
                    !route.has("gateway") && !route.path("type").asText().equals("unreachable");
            if (!route.path("protocol").asText().equals(PODWIRE) || isPods) {
                lines.add("route " + route);
            }
        });
        for (JsonNode n : json(netns, "ip -j -4 neigh show nud permanent")) {
            if (!n.path("dev").asText().equals(TUNNEL)) {
                lines.add("neighbour " + n.path("dst").asText() + " is "
                        + n.path("lladdr").asText() + " on " + n.path("dev").asText());
            }
        }
        for (JsonNode entry : json(netns, "bridge -j fdb show")) {
            boolean kernels = MULTICAST.matcher(entry.path("mac").asText()).find();
            if (!kernels && !entry.path("ifname").asText().equals(TUNNEL)) {
                lines.add("fdb " + entry.path("mac").asText() + " on "
                        + entry.path("ifname").asText() + " "
                        + entry.path("state").asText() + " "
                        + entry.path("dst").asText());
            }
        }
        json(netns, "nft -s -j list ruleset").path("nftables").forEach(object -> addNft(object, lines));
        return new KernelDump(List.copyOf(lines));
    }

    /** An object of nf_tables; a set's elements apart, so that a difference names the element. */
    private static void addNft(JsonNode object, Set<String> lines) {
        String kind = object.fieldNames().next();
        if (kind.equals("metainfo") || !(object.get(kind) instanceof ObjectNode fields)) {
            return;
        }
        fields.remove("handle"); // a table that was made anew is the same table
        JsonNode elements = fields.remove("elem");
        lines.add("nft " + kind + " " + fields);
        if (elements != null) {
            elements.forEach(element -> lines.add("nft element of "
                    + fields.path("family").asText() + " "
                    + fields.path("table").asText() + " "
                    + fields.path("name").asText() + " " + element));
        }
    }

    /** Lines that are here and not in another dump, each on its own. */
    public String minus(KernelDump other) {
        return lines.stream().filter(line -> !other.lines.contains(line)).collect(Collectors.joining("\n"));
    }

    /** Lines that have a text. */
    public List<String> with(String text) {
        return lines.stream().filter(line -> line.contains(text)).toList();
    }

    private static String in(Path netns, String command) {
        return Shell.output(("nsenter --net=" + netns + " -- " + command).split(" "));
    }

    private static JsonNode json(Path netns, String command) {
        String output = in(netns, command);
        try {
            return output.isBlank() ? JSON.createArrayNode() : JSON.readTree(output);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(command + " printed no JSON: " + output, e);
        }
    }
}
