package io.podwire.cli.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.cli.lab.CniVersion;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/** Whether a result has the shape that a version of the specification gives it. */
final class ResultShape {
    private static final Pattern MAC = Pattern.compile("[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}");
    private static final List<String> NEW_OF_INTERFACES = List.of("mtu", "socketPath", "pciID");
    private static final List<String> NEW_OF_ROUTES = List.of("mtu", "advmss", "priority", "table", "scope");

    private final CniVersion version;
    private final JsonNode result;
    private final List<String> problems = new ArrayList<>();

    private ResultShape(CniVersion version, JsonNode result) {
        this.version = version;
        this.result = result;
    }

    /** What is wrong with a result of an ADD; empty when nothing is. */
    static List<String> problems(CniVersion version, JsonNode result) {
        ResultShape shape = new ResultShape(version, result);
        shape.check();
        return List.copyOf(shape.problems);
    }

    private void check() {
        if (!result.isObject()) {
            problems.add("the result is no JSON object");
            return;
        }
        String said = result.path("cniVersion").asText("");
        if (!said.equals(version.text())) {
            problems.add("cniVersion is \"" + said + "\", asked for was " + version);
        }
        if (version.atLeast(CniVersion.V0_3_0)) {
            checkLists();
        } else {
            checkPairs();
        }
        JsonNode dns = result.path("dns");
        if (!dns.isMissingNode() && !dns.isObject()) {
            problems.add("dns is no object: " + dns);
        }
        for (String key : List.of("nameservers", "search", "options")) {
            listOf("dns." + key, dns.path(key)).forEach(value -> {
                if (!value.isTextual()) {
                    problems.add("dns." + key + " has a member that is no string: " + value);
                }
            });
        }
    }

    /** Up to 0.2.0: one address of each family at most, and at least one. */
    private void checkPairs() {
        for (String key : List.of("interfaces", "ips", "routes")) {
            if (result.has(key)) {
                problems.add(key + " is of 0.3.0 and later");
            }
        }
        if (!result.has("ip4") && !result.has("ip6")) {
            problems.add("there is neither ip4 nor ip6");
        }
        for (String key : List.of("ip4", "ip6")) {
            JsonNode ip = result.path(key);
            if (ip.isMissingNode() || ip.isNull()) {
                continue;
            }
            IpFamily family = key.equals("ip4") ? IpFamily.V4 : IpFamily.V6;
            cidr(key + ".ip", ip.path("ip"))
                    .filter(cidr -> cidr.address().family() != family)
                    .ifPresent(cidr -> problems.add(key + ".ip is of the other family: " + cidr));
            address(key + ".gateway", ip.path("gateway"));
            routes(key + ".routes", ip.path("routes"));
        }
    }

    private void checkLists() {
        for (String key : List.of("ip4", "ip6")) {
            if (result.has(key)) {
                problems.add(key + " is of 0.2.0 and earlier");
            }
        }
        List<JsonNode> interfaces = listOf("interfaces", result.path("interfaces"));
        for (JsonNode one : interfaces) {
            if (one.path("name").asText("").isEmpty()) {
                problems.add("an interface has no name: " + one);
            }
            if (one.has("mac") && !MAC.matcher(one.path("mac").asText()).matches()) {
                problems.add("an interface's mac is none: " + one);
            }
            newKeys("interfaces", one, NEW_OF_INTERFACES);
        }
        for (JsonNode ip : listOf("ips", result.path("ips"))) {
            Optional<IpAddress> address =
                    cidr("ips.address", ip.path("address")).map(Cidr::address);
            address("ips.gateway", ip.path("gateway"));
            checkFamily(ip, address);
            JsonNode index = ip.path("interface");
            if (!index.isMissingNode()
                    && (!index.isInt() || index.intValue() < 0 || index.intValue() >= interfaces.size())) {
                problems.add("ips.interface " + index + " is no index of the " + interfaces.size() + " interfaces");
            }
        }
        routes("routes", result.path("routes"));
    }

    private void checkFamily(JsonNode ip, Optional<IpAddress> address) {
        if (version.atLeast(CniVersion.V1_0_0)) {
            if (ip.has("version")) {
                problems.add("ips.version is of 0.4.0 and earlier");
            }
        } else if (address.isPresent()) {
            String family = address.get().family() == IpFamily.V4 ? "4" : "6";
            if (!ip.path("version").asText("").equals(family)) {
                problems.add("ips.version of " + address.get() + " is not \"" + family + "\": " + ip.path("version"));
            }
        }
    }

    private void routes(String where, JsonNode routes) {
        for (JsonNode route : listOf(where, routes)) {
            var _ = cidr(where + ".dst", route.path("dst"));
            address(where + ".gw", route.path("gw"));
            newKeys(where, route, NEW_OF_ROUTES);
        }
    }

    private void newKeys(String where, JsonNode object, List<String> keys) {
        if (!version.atLeast(CniVersion.V1_1_0)) {
            keys.stream()
                    .filter(object::has)
                    .forEach(key -> problems.add(where + "." + key + " is of 1.1.0 and later"));
        }
    }

    private Optional<Cidr> cidr(String where, JsonNode value) {
        Optional<Cidr> cidr = Cidr.of(value.asText(""));
        if (cidr.isEmpty()) {
            problems.add(where + " is no address with a length: " + value);
        }
        return cidr;
    }

    private void address(String where, JsonNode value) {
        if (!value.isMissingNode() && Cidr.address(value.asText("")).isEmpty()) {
            problems.add(where + " is no address: " + value);
        }
    }

    private List<JsonNode> listOf(String where, JsonNode value) {
        if (value.isMissingNode()) {
            return List.of();
        }
        if (!value.isArray()) {
            problems.add(where + " is no list: " + value);
            return List.of();
        }
        List<JsonNode> members = new ArrayList<>();
        value.forEach(members::add);
        return members;
    }
}
