package io.podwire.node.cni;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.journal.Attachment;
import java.util.Optional;

/** Results and errors as JSON, in the version the configuration asks for (CNI 1.1, "Result types"). */
final class CniResult {
    private CniResult() {}

    /**
     * The result of an ADD. What a plugin before Podwire in the chain produced stays in it.
     *
     * @param gateway next hop of the pod's default route
     */
    static ObjectNode added(NetworkConfig config, Attachment attachment, String gateway) {
        return config.version().atLeast(CniVersion.V0_3_0)
                ? current(config, attachment, gateway)
                : legacy(config, attachment, gateway);
    }

    private static ObjectNode current(NetworkConfig config, Attachment attachment, String gateway) {
        ObjectNode result =
                config.prevResult().map(ObjectNode::deepCopy).orElseGet(NetworkConfig.JSON::createObjectNode);
        result.put("cniVersion", config.version().text());
        ArrayNode interfaces = result.withArray("interfaces");
        ObjectNode host = interfaces.addObject().put("name", attachment.hostIfname());
        ObjectNode inside = interfaces
                .addObject()
                .put("name", attachment.key().ifname())
                .put("mac", attachment.mac().toString())
                .put("sandbox", attachment.netnsPath());
        if (config.version().atLeast(CniVersion.V1_1_0)) {
            host.put("mtu", attachment.mtu());
            inside.put("mtu", attachment.mtu());
        }
        ObjectNode ip = result.withArray("ips").addObject();
        if (!config.version().atLeast(CniVersion.V1_0_0)) {
            ip.put("version", "4");
        }
        ip.put("address", IpPrefix.ofHost(attachment.address()).toString())
                .put("gateway", gateway)
                .put("interface", interfaces.size() - 1);
        result.withArray("routes").addObject().put("dst", "0.0.0.0/0").put("gw", gateway);
        putDns(config, result);
        return result;
    }

    private static ObjectNode legacy(NetworkConfig config, Attachment attachment, String gateway) {
        ObjectNode result = NetworkConfig.JSON.createObjectNode();
        result.put("cniVersion", config.version().text());
        ObjectNode ip4 = result.putObject("ip4");
        ip4.put("ip", IpPrefix.ofHost(attachment.address()).toString()).put("gateway", gateway);
        ip4.putArray("routes").addObject().put("dst", "0.0.0.0/0").put("gw", gateway);
        putDns(config, result);
        return result;
    }

    private static void putDns(NetworkConfig config, ObjectNode result) {
        if (!result.has("dns")) {
            config.dns().ifPresent(dns -> result.set("dns", dns.deepCopy()));
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
