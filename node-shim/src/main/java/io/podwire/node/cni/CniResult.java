package io.podwire.node.cni;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.journal.Attachment;
import io.podwire.node.plan.DnsSettings;
import io.podwire.node.plan.ExtraRoute;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;

/** Results and errors as JSON, in the version the configuration asks for (CNI 1.1, "Result types"). */
final class CniResult {
    /** RT_TABLE_MAIN, linux/rtnetlink.h. */
    private static final long MAIN_TABLE = 254;

    private CniResult() {}

    /**
     * The result of an ADD. What a plugin before Podwire in the chain produced stays in it.
     *
     * @param gateway next hop of the pod's default route of a family
     * @param routed the families whose default route the attachment was given: only these are told
     */
    static ObjectNode added(
            NetworkConfig config, Attachment attachment, Function<IpFamily, IpAddress> gateway, Set<IpFamily> routed) {
        return config.version().atLeast(CniVersion.V0_3_0)
                ? current(config, attachment, gateway, routed)
                : legacy(config, attachment, gateway, routed);
    }

    private static ObjectNode current(
            NetworkConfig config, Attachment attachment, Function<IpFamily, IpAddress> gateway, Set<IpFamily> routed) {
        ObjectNode result =
                config.prevResult().map(ObjectNode::deepCopy).orElseGet(NetworkConfig.JSON::createObjectNode);
        result.put("cniVersion", config.version().text());
        ArrayNode interfaces = result.withArray("interfaces");
        Optional<ObjectNode> host = hasHostEnd(attachment)
                ? Optional.of(interfaces.addObject().put("name", attachment.hostIfname()))
                : Optional.empty();
        ObjectNode inside = interfaces
                .addObject()
                .put("name", attachment.key().ifname())
                .put("mac", attachment.mac().toString())
                .put("sandbox", attachment.netnsPath());
        if (config.version().atLeast(CniVersion.V1_1_0)) {
            host.ifPresent(end -> end.put("mtu", attachment.mtu()));
            inside.put("mtu", attachment.mtu());
        }
        for (IpAddress address : attachment.addresses().list()) {
            String via = gateway.apply(address.family()).toString();
            ObjectNode ip = result.withArray("ips").addObject();
            if (!config.version().atLeast(CniVersion.V1_0_0)) {
                ip.put("version", version(address.family()));
            }
            ip.put("address", IpPrefix.ofHost(address).toString())
                    .put("gateway", via)
                    .put("interface", interfaces.size() - 1);
            if (routed.contains(address.family())) {
                putDefault(result.withArray("routes"), address.family(), via);
            }
        }
        for (ExtraRoute route : attachment.request().routes()) {
            putExtra(config.version(), () -> result.withArray("routes"), route, gateway);
        }
        putDns(config, attachment, result);
        return result;
    }

    private static boolean hasHostEnd(Attachment attachment) {
        return switch (attachment.mode().hostSide()) {
            case BRIDGE_PORT, OWN_LINK -> true;
            case SHARED_DEVICE, NONE -> false;
        };
    }

    private static ObjectNode legacy(
            NetworkConfig config, Attachment attachment, Function<IpFamily, IpAddress> gateway, Set<IpFamily> routed) {
        ObjectNode result = NetworkConfig.JSON.createObjectNode();
        result.put("cniVersion", config.version().text());
        for (IpAddress address : attachment.addresses().list()) {
            String via = gateway.apply(address.family()).toString();
            ObjectNode ip = result.putObject("ip" + version(address.family()));
            ip.put("ip", IpPrefix.ofHost(address).toString()).put("gateway", via);
            if (routed.contains(address.family())) {
                putDefault(ip.withArray("routes"), address.family(), via);
            }
            attachment.request().routes().stream()
                    .filter(route -> route.destination().family() == address.family())
                    .forEach(route -> putExtra(config.version(), () -> ip.withArray("routes"), route, gateway));
        }
        putDns(config, attachment, result);
        return result;
    }

    private static void putDefault(ArrayNode routes, IpFamily family, String via) {
        routes.addObject().put("dst", IpPrefix.all(family).toString()).put("gw", via);
    }

    /**
     * A route beside the default one. What a version before 1.1 cannot say of it is left out; of another table than the
     * main one that version can say nothing that is true.
     */
    private static void putExtra(
            CniVersion version, Supplier<ArrayNode> routes, ExtraRoute route, Function<IpFamily, IpAddress> gateway) {
        boolean whole = version.atLeast(CniVersion.V1_1_0);
        if (!whole && route.table().orElse(MAIN_TABLE) != MAIN_TABLE) {
            return;
        }
        IpAddress via = route.gateway()
                .orElseGet(() -> gateway.apply(route.destination().family()));
        ObjectNode json = routes.get()
                .addObject()
                .put("dst", route.destination().toString())
                .put("gw", via.toString());
        if (whole) {
            route.mtu().ifPresent(mtu -> json.put("mtu", mtu));
            route.advmss().ifPresent(advmss -> json.put("advmss", advmss));
            route.priority().ifPresent(priority -> json.put("priority", priority));
            route.table().ifPresent(table -> json.put("table", table));
            route.scope().ifPresent(scope -> json.put("scope", scope));
        }
    }

    /** The families whose default route by a gateway a result of {@link #added} tells. */
    static Set<IpFamily> routed(ObjectNode result, Function<IpFamily, IpAddress> gateway) {
        Set<IpFamily> routed = EnumSet.noneOf(IpFamily.class);
        for (JsonNode route : result.path("routes")) {
            for (IpFamily family : IpFamily.values()) {
                if (route.path("table").asLong(MAIN_TABLE) == MAIN_TABLE
                        && route.path("dst")
                                .asText()
                                .equals(IpPrefix.all(family).toString())
                        && route.path("gw")
                                .asText()
                                .equals(gateway.apply(family).toString())) {
                    routed.add(family);
                }
            }
        }
        return routed;
    }

    private static String version(IpFamily family) {
        return switch (family) {
            case V4 -> "4";
            case V6 -> "6";
        };
    }

    /** What the runtime asked for wins over what a plugin before said, and that over the configuration. */
    private static void putDns(NetworkConfig config, Attachment attachment, ObjectNode result) {
        attachment.request().dns().ifPresent(asked -> result.set("dns", dns(asked)));
        if (!result.has("dns")) {
            config.dns().ifPresent(dns -> result.set("dns", dns.deepCopy()));
        }
    }

    private static ObjectNode dns(DnsSettings settings) {
        ObjectNode dns = NetworkConfig.JSON.createObjectNode();
        putTexts(dns, "nameservers", settings.nameservers());
        if (!settings.domain().isEmpty()) {
            dns.put("domain", settings.domain());
        }
        putTexts(dns, "search", settings.search());
        putTexts(dns, "options", settings.options());
        return dns;
    }

    private static void putTexts(ObjectNode dns, String key, List<String> texts) {
        if (!texts.isEmpty()) {
            ArrayNode list = dns.putArray(key);
            texts.forEach(list::add);
        }
    }

    /**
     * An error object.
     *
     * @param version of the configuration; empty when none could be read
     */
    static ObjectNode error(Optional<CniVersion> version, CniException failure) {
        ObjectNode error = NetworkConfig.JSON.createObjectNode();
        error.put("cniVersion", version.orElse(CniVersion.V1_0_0).text())
                .put("code", failure.code().value())
                .put("msg", failure.getMessage());
        if (!failure.details().isEmpty()) {
            error.put("details", failure.details());
        }
        return error;
    }
}
