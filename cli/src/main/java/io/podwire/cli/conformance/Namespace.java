package io.podwire.cli.conformance;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.podwire.cli.conformance.KernelState.Link;
import io.podwire.cli.conformance.KernelState.Route;
import io.podwire.cli.lab.Tool;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** A network namespace as iproute2, nft and iptables show and change it. For any thread. */
final class Namespace {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String END = "@@@";

    /** One process enters the namespace; programs that are not installed print nothing. */
    private static final String LOOK = String.join(
            "; echo; echo " + END + "; ",
            "ip -j -d addr show",
            "ip -j -4 route show table all",
            "ip -j -6 route show table all",
            "ip -j neigh show nud permanent",
            "bridge -j fdb show",
            "nft -s list ruleset",
            "iptables-legacy-save; ip6tables-legacy-save",
            "tc qdisc show");

    /** Multicast groups, which the kernel joins by itself some time after a link comes up. */
    private static final Pattern GROUP = Pattern.compile("^(33:33|01:00:5e):");

    private static final Set<String> OWN_ROUTES = Set.of("local", "broadcast", "multicast", "anycast");

    private final List<String> prefix;
    private final Path path;

    private Namespace(List<String> prefix, Path path) {
        this.prefix = List.copyOf(prefix);
        this.path = path;
    }

    /** The namespace of this process. */
    static Namespace own() {
        return new Namespace(
                List.of(), Path.of("/proc/" + ProcessHandle.current().pid() + "/ns/net"));
    }

    /** The namespace at a path. */
    static Namespace at(Path path) {
        return new Namespace(List.of("nsenter", "--net=" + path, "--"), path);
    }

    /** Where it can be opened, as CNI_NETNS names it. */
    Path path() {
        return path;
    }

    /** Words before a command that runs it here. */
    List<String> prefix() {
        return prefix;
    }

    /** Runs a program here that may fail. */
    Tool.Finished attempt(String... command) {
        return Tool.run(in(command));
    }

    /** Runs a program here that has to succeed. */
    void run(String... command) {
        var _ = Tool.output("", in(command));
    }

    /** Runs a program here that has to succeed, with a text on its standard input. */
    void run(String stdin, List<String> command) {
        var _ = Tool.output(stdin, in(command.toArray(String[]::new)));
    }

    private List<String> in(String... command) {
        List<String> whole = new ArrayList<>(prefix);
        whole.addAll(Arrays.asList(command));
        return whole;
    }

    /** What it holds now. */
    KernelState look() {
        String[] parts =
                attempt("sh", "-c", "exec 2>/dev/null; " + LOOK).stdout().split("\n" + END + "\n", -1);
        if (parts.length != 8) {
            throw new IllegalStateException("cannot look into " + path + ": " + Arrays.toString(parts));
        }
        List<Link> links = new ArrayList<>();
        json(parts[0]).forEach(link -> links.add(link(link)));
        List<Route> routes = new ArrayList<>();
        json(parts[1]).forEach(route -> route(route, false).ifPresent(routes::add));
        json(parts[2]).forEach(route -> route(route, true).ifPresent(routes::add));
        List<String> lines = new ArrayList<>();
        links.forEach(link -> describe(link, lines));
        routes.forEach(route ->
                lines.add("route " + route.destination() + " via " + route.gateway() + " dev " + route.device()));
        json(parts[3])
                .forEach(entry -> lines.add("neighbour " + entry.path("dst").asText() + " is "
                        + entry.path("lladdr").asText() + " on "
                        + entry.path("dev").asText()));
        for (JsonNode entry : json(parts[4])) {
            if (!GROUP.matcher(entry.path("mac").asText()).find()) {
                lines.add("fdb " + entry.path("mac").asText() + " on "
                        + entry.path("ifname").asText() + " "
                        + entry.path("state").asText());
            }
        }
        SortedMap<String, String> tables = tables(parts[5]);
        tables.forEach((table, text) -> rules(table, text, lines));
        parts[6].lines()
                .filter(line -> !line.startsWith("#") && !line.startsWith(":"))
                .forEach(line -> lines.add("rule iptables-legacy " + line));
        parts[7].lines()
                .filter(line -> !line.isBlank())
                .forEach(line -> lines.add("qdisc " + line.replaceAll(" refcnt \\d+", "")));
        return new KernelState(links, routes, lines, tables);
    }

    private static Link link(JsonNode link) {
        List<Cidr> addresses = new ArrayList<>();
        link.path("addr_info")
                .forEach(a -> Cidr.of(a.path("local").asText() + "/"
                                + a.path("prefixlen").asInt())
                        .ifPresent(addresses::add));
        return new Link(
                link.path("ifindex").asInt(),
                link.path("ifname").asText(),
                link.path("linkinfo").path("info_kind").asText(),
                link.path("flags").toString().contains("\"UP\""),
                link.path("address").asText(),
                link.path("mtu").asInt(),
                link.path("master").asText(),
                link.path("link_index").asInt(),
                addresses);
    }

    private static Optional<Route> route(JsonNode route, boolean v6) {
        String text = route.path("dst").asText();
        String destination = text.equals("default") ? (v6 ? "::/0" : "0.0.0.0/0") : text;
        String whole = destination.contains("/") ? destination : destination + (v6 ? "/128" : "/32");
        // What the kernel gives every link by itself: its local addresses, link-local and multicast networks.
        boolean own = OWN_ROUTES.contains(route.path("type").asText())
                || route.path("table").asText().equals("local")
                || text.startsWith("fe80:")
                || text.startsWith("ff00:");
        return own
                ? Optional.empty()
                : Cidr.of(whole)
                        .map(cidr -> new Route(
                                cidr,
                                route.path("gateway").asText(),
                                route.path("dev").asText()));
    }

    private static void describe(Link link, List<String> lines) {
        // A bridge takes the lowest MAC address of its ports, which come and go.
        lines.add("link " + link.name() + " " + link.kind() + " master '" + link.master() + "'"
                + (link.kind().equals("bridge")
                        ? ""
                        : " up " + link.up() + " mac " + link.mac() + " mtu " + link.mtu()));
        link.addresses().stream()
                .filter(address -> !address.toString().startsWith("fe80:"))
                .forEach(address -> lines.add("address " + address + " on " + link.name()));
    }

    /** The tables of a listing, each with its text. */
    private static SortedMap<String, String> tables(String listing) {
        SortedMap<String, String> tables = new TreeMap<>();
        StringBuilder text = new StringBuilder();
        String name = "";
        for (String line : listing.lines().toList()) {
            if (line.startsWith("table ")) {
                name = line.substring("table ".length(), line.lastIndexOf('{')).strip();
                text.setLength(0);
            }
            if (!line.startsWith("#")) {
                text.append(line).append('\n');
            }
            if (line.equals("}")) {
                tables.put(name, text.toString());
            }
        }
        return tables;
    }

    private static void rules(String table, String text, List<String> lines) {
        String block = "";
        for (String line : text.lines().toList()) {
            String bare = line.strip();
            if (bare.endsWith("{")) {
                block = bare;
            }
            if (!bare.isEmpty() && !bare.equals("}")) {
                lines.add("rule nft " + table + ": " + (block.equals(bare) ? "" : block + " ") + bare);
            }
        }
    }

    private static JsonNode json(String text) {
        try {
            return text.isBlank() ? JSON.createArrayNode() : JSON.readTree(text);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("iproute2 printed no JSON: " + text, e);
        }
    }
}
