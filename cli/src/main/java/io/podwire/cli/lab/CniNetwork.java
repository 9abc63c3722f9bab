package io.podwire.cli.lab;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A CNI network as a runtime reads it from a .conflist file, and what it makes of it for a plugin's
 * standard input (CNI 1.1, "Deriving execution configuration from plugin configuration").
 */
public final class CniNetwork {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Oldest first. */
    private static final List<String> VERSIONS = List.of("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0");

    private final String name;
    private final String cniVersion;
    private final boolean disableCheck;
    private final List<ObjectNode> plugins;

    private CniNetwork(String name, String cniVersion, boolean disableCheck, List<ObjectNode> plugins) {
        this.name = name;
        this.cniVersion = cniVersion;
        this.disableCheck = disableCheck;
        this.plugins = plugins;
    }

    /**
     * Reads a network configuration list. The version is the highest one known of {@code cniVersion}
     * and {@code cniVersions}.
     *
     * @throws IllegalArgumentException when it is not one, naming what is missing
     */
    public static CniNetwork parse(String conflist) {
        JsonNode root;
        try {
            root = JSON.readTree(conflist);
        } catch (IOException e) {
            throw new IllegalArgumentException("the conflist is no JSON: " + e.getMessage(), e);
        }
        String name = root.path("name").asText();
        List<ObjectNode> plugins = new ArrayList<>();
        for (JsonNode plugin : root.path("plugins")) {
            if (!(plugin instanceof ObjectNode object)
                    || object.path("type").asText().isEmpty()) {
                throw new IllegalArgumentException("the conflist has a plugin without a type: " + plugin);
            }
            plugins.add(object);
        }
        if (name.isEmpty() || plugins.isEmpty()) {
            throw new IllegalArgumentException("a conflist needs \"name\" and \"plugins\"");
        }
        return new CniNetwork(name, version(root), isTrue(root.path("disableCheck")), plugins);
    }

    /**
     * The first .conflist of a folder by name, as containerd takes it.
     *
     * @throws IOException when there is none, or it cannot be read
     */
    public static CniNetwork load(Path folder) throws IOException {
        Optional<Path> first;
        try (Stream<Path> files = Files.list(folder)) {
            first = files.filter(file -> file.toString().endsWith(".conflist"))
                    .sorted()
                    .findFirst();
        }
        return parse(Files.readString(first.orElseThrow(() -> new IOException("no .conflist in " + folder))));
    }

    /** The network's name. */
    public String name() {
        return name;
    }

    /** The version that plugins are called with. */
    public String cniVersion() {
        return cniVersion;
    }

    /** True when the runtime must not call CHECK: it is switched off, or older than 0.4.0 knew it. */
    public boolean checkDisabled() {
        return disableCheck || before("0.4.0");
    }

    /** Types of the plugins in their order, each the name of an executable. */
    public List<String> plugins() {
        return plugins.stream().map(plugin -> plugin.path("type").asText()).toList();
    }

    /**
     * Standard input of one plugin: its own object with name and version of the list put in,
     * {@code runtimeConfig} for the capabilities it declares and no others, and {@code prevResult}
     * where there is one.
     *
     * @param plugin index in {@link #plugins()}
     * @param capabilities what the runtime could pass, by capability name
     */
    String stdin(int plugin, Optional<JsonNode> prevResult, JsonNode capabilities) {
        ObjectNode config = stdinObject(plugin);
        ObjectNode runtimeConfig = JSON.createObjectNode();
        config.path("capabilities").properties().forEach(declared -> {
            if (isTrue(declared.getValue()) && capabilities.has(declared.getKey())) {
                runtimeConfig.set(declared.getKey(), capabilities.get(declared.getKey()));
            }
        });
        if (!runtimeConfig.isEmpty()) {
            config.set("runtimeConfig", runtimeConfig);
        }
        prevResult.ifPresent(result -> config.set("prevResult", result));
        return config.toString();
    }

    /** Standard input of GC: the attachments that are valid still, under the key and its alias. */
    String gcStdin(int plugin, List<CniAttachment> valid) {
        ObjectNode config = stdinObject(plugin);
        for (String key : List.of("cni.dev/valid-attachments", "cni.dev/attachments")) {
            var array = config.putArray(key);
            valid.forEach(attachment -> array.addObject()
                    .put("containerID", attachment.containerId())
                    .put("ifname", attachment.ifname()));
        }
        return config.toString();
    }

    /** True when DEL and CHECK carry the cached result: from 0.4.0 on. */
    boolean cachesResults() {
        return !before("0.4.0");
    }

    private ObjectNode stdinObject(int plugin) {
        ObjectNode config = plugins.get(plugin).deepCopy();
        config.put("name", name);
        config.put("cniVersion", cniVersion);
        return config;
    }

    private boolean before(String version) {
        return VERSIONS.indexOf(cniVersion) < VERSIONS.indexOf(version);
    }

    private static String version(JsonNode root) {
        String highest = root.path("cniVersion").asText(VERSIONS.getFirst());
        for (JsonNode other : root.path("cniVersions")) {
            if (VERSIONS.indexOf(other.asText()) > VERSIONS.indexOf(highest)) {
                highest = other.asText();
            }
        }
        if (!VERSIONS.contains(highest)) {
            throw new IllegalArgumentException("cniVersion " + highest + " is none of " + VERSIONS);
        }
        return highest;
    }

    /** Booleans may be the strings "true" and "false", as libcni takes them. */
    private static boolean isTrue(JsonNode value) {
        return value.asBoolean(false);
    }
}
