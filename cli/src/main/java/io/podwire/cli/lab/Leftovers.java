package io.podwire.cli.lab;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.List;

/** What pods have left in a node's kernel, as iproute2 and nft see it: a look that does not trust node-shim. */
public final class Leftovers {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Leftovers() {}

    /** Everything of pods in a node's namespace; empty when no pod is there. */
    public static List<String> in(String netns) {
        List<String> found = new ArrayList<>();
        for (JsonNode link : json("ip", "-n", netns, "-j", "link", "show", "type", "veth")) {
            if (link.path("ifname").asText().startsWith("pw")) {
                found.add("link " + link.path("ifname").asText());
            }
        }
        // 112 is Podwire's route protocol. Other nodes' blocks and VXLAN devices stay while they live.
        for (JsonNode route : json("ip", "-n", netns, "-j", "-4", "route", "show", "table", "all", "proto", "112")) {
            if (route.path("dev").asText().equals("pw0")
                    && !route.path("dst").asText().contains("/")) {
                found.add("route " + route.path("dst").asText());
            }
        }
        for (JsonNode entry : json("ip", "-n", netns, "-j", "-4", "neigh", "show", "dev", "pw0")) {
            found.add("neighbour " + entry.path("dst").asText());
        }
        JsonNode ruleset = json("nsenter", "--net=/run/netns/" + netns, "--", "nft", "-j", "list", "ruleset");
        for (JsonNode object : ruleset.path("nftables")) {
            for (String kind : List.of("set", "map")) {
                JsonNode set = object.path(kind);
                if (!set.path("elem").isEmpty()) {
                    found.add("nft " + kind + " " + set.path("table").asText() + " "
                            + set.path("name").asText() + " with "
                            + set.path("elem").size() + " elements");
                }
            }
            String chain = object.path("chain").path("name").asText();
            if (chain.startsWith("pod-")) {
                found.add("nft chain " + chain);
            }
        }
        return found;
    }

    private static JsonNode json(String... command) {
        String output = Tool.output(command);
        try {
            return output.isBlank() ? JSON.createArrayNode() : JSON.readTree(output);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(String.join(" ", command) + " printed no JSON: " + output, e);
        }
    }
}
