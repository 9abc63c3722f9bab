package io.podwire.cli.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.Tool;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;

/**
 * A network namespace that stands for a container, with lo up as a runtime leaves it.
 *
 * @param name of the namespace below /run/netns
 * @param id its container id: 64 hexadecimal digits, as containerd's
 */
record Container(String name, String id) {
    /** Makes one with a new id. */
    static Container make(String name) {
        var _ = Tool.output("ip", "netns", "add", name);
        var _ = Tool.output("ip", "-n", name, "link", "set", "lo", "up");
        return new Container(name, newId());
    }

    /** An id that nobody has. */
    static String newId() {
        return (UUID.randomUUID().toString() + UUID.randomUUID()).replace("-", "");
    }

    /** Path of the namespace. */
    String netns() {
        return "/run/netns/" + name;
    }

    /** The namespace. */
    Namespace namespace() {
        return Namespace.at(java.nio.file.Path.of(netns()));
    }

    /** An interface of it. */
    CniAttachment attachment(String ifname) {
        return attachment(ifname, JsonNodeFactory.instance.objectNode());
    }

    /** An interface of it for which the runtime has values of some capabilities. */
    CniAttachment attachment(String ifname, JsonNode capabilities) {
        CniAttachment eth0 = CniAttachment.pod("default", name, "uid-" + id.substring(0, 8), id, netns());
        return new CniAttachment(id, netns(), ifname, eth0.args(), capabilities);
    }

    /** An interface with CNI_ARGS of the caller's. */
    CniAttachment withArgs(String ifname, Map<String, String> args) {
        return new CniAttachment(id, netns(), ifname, new LinkedHashMap<>(args), JsonNodeFactory.instance.objectNode());
    }

    /** Deletes the namespace where it is still there. */
    void delete() {
        var _ = Tool.run(java.util.List.of("ip", "netns", "delete", name));
    }
}
