package io.podwire.cli.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.cli.lab.CniNetwork;
import io.podwire.cli.lab.CniVersion;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Two plugins of the tester's own, as shell scripts in a folder that precedes the others in CNI_PATH: an
 * IPAM plugin that writes down its calls, answers what it is told and fails when it is told, and a plugin
 * for the end of a chain whose ADD fails.
 */
final class Delegate {
    private static final String IPAM = "podwire-conformance-ipam";
    private static final String TAIL = "podwire-conformance-tail";

    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path folder;
    private String usual;

    /** Writes the scripts. */
    Delegate(Path folder, CniVersion version) throws IOException {
        this.folder = Files.createDirectories(folder);
        plugin(IPAM, """
                #!/bin/sh
                cat >/dev/null
                cd %s || exit 9
                echo "$CNI_COMMAND" >>calls
                if [ -e "fail.$CNI_COMMAND" ]; then
                  echo '{"cniVersion": "%s", "code": 11, "msg": "the tester refuses this call"}'
                  exit 1
                fi
                [ "$CNI_COMMAND" != ADD ] || cat result
                """.formatted(folder, version));
        plugin(TAIL, """
                #!/bin/sh
                cat >/dev/null
                [ "$CNI_COMMAND" = ADD ] || exit 0
                echo '{"cniVersion": "%s", "code": 11, "msg": "the tester refuses this call"}'
                exit 1
                """.formatted(version));
        usual = JSON.createObjectNode().put("cniVersion", version.text()).toString();
        answer(usual);
    }

    /**
     * Makes it answer the addresses and routes of a result from now on: those that the chain's own IPAM plugin
     * gave, and that fit the chain therefore.
     */
    void imitate(JsonNode result) {
        ObjectNode answer = JSON.createObjectNode();
        for (String key : List.of("cniVersion", "ips", "routes", "ip4", "ip6")) {
            if (result.has(key)) {
                answer.set(key, result.get(key).deepCopy());
            }
        }
        // Only who makes interfaces knows their indexes.
        answer.path("ips").forEach(ip -> ((ObjectNode) ip).remove("interface"));
        usual = answer.toString();
        answer(usual);
    }

    private void plugin(String name, String script) throws IOException {
        Path file = Files.writeString(folder.resolve(name), script);
        if (!file.toFile().setExecutable(true)) {
            throw new IOException("cannot make " + file + " executable");
        }
    }

    /** Its folder, for CNI_PATH. */
    Path folder() {
        return folder;
    }

    /** True when a plugin of the chain leaves addresses to an IPAM plugin. */
    static boolean fits(CniNetwork network) {
        for (int plugin = 0; plugin < network.plugins().size(); plugin++) {
            if (delegates(network.plugin(plugin))) {
                return true;
            }
        }
        return false;
    }

    private static boolean delegates(ObjectNode plugin) {
        return !plugin.path("ipam").path("type").asText("").isEmpty();
    }

    /** The chain with this IPAM plugin in the place of its own. */
    CniNetwork into(CniNetwork network) {
        return network.withPlugins(plugin -> {
            if (delegates(plugin)) {
                plugin.putObject("ipam").put("type", IPAM);
            }
            return plugin;
        });
    }

    /** The chain with a last plugin whose ADD fails. */
    static CniNetwork withFailingEnd(CniNetwork network) {
        ObjectNode tail = network.plugin(0).removeAll();
        return network.withLast(tail.put("type", TAIL));
    }

    /** The result that it answers to ADD unless it is told another one. */
    ObjectNode usual() {
        return Probe.object(usual);
    }

    /** The JSON that its next ADDs answer, until {@link #reset}. */
    void answer(String result) {
        write("result", result);
    }

    /** Makes one verb fail. */
    void fail(String command) {
        write("fail." + command, "");
    }

    /** Makes everything succeed again as usual, and forgets the calls. */
    void reset() {
        answer(usual);
        try {
            for (String command : List.of("ADD", "DEL", "CHECK", "GC", "STATUS")) {
                Files.deleteIfExists(folder.resolve("fail." + command));
            }
            Files.deleteIfExists(folder.resolve("calls"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** CNI_COMMAND of its calls since {@link #reset}, in their order. */
    List<String> calls() {
        Path calls = folder.resolve("calls");
        try {
            return Files.exists(calls) ? Files.readAllLines(calls) : List.of();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void write(String file, String text) {
        try {
            Files.writeString(folder.resolve(file), text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
