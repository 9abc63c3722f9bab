package io.podwire.cli.lab;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * A CNI network as a runtime reads it from a .conflist file, and what it makes of it for a plugin's
 * standard input (CNI 1.1, "Deriving execution configuration from plugin configuration").
 */
public final class CniNetwork {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final String name;
    private final CniVersion version;
    private final boolean disableCheck;
    private final boolean disableGc;
    private final List<ObjectNode> plugins;

    private CniNetwork(
            String name, CniVersion version, boolean disableCheck, boolean disableGc, List<ObjectNode> plugins) {
        this.name = name;
        this.version = version;
        this.disableCheck = disableCheck;
        this.disableGc = disableGc;
        this.plugins = List.copyOf(plugins);
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
        return new CniNetwork(
                name, version(root), isTrue(root.path("disableCheck")), isTrue(root.path("disableGC")), plugins);
    }

    /**
     * Reads a network configuration list, or the configuration of a single plugin, of which libcni makes a
     * list of one.
     *
     * @throws IllegalArgumentException when it is neither, naming what is missing
     */
    public static CniNetwork parseAny(String text) {
        JsonNode root;
        try {
            root = JSON.readTree(text);
        } catch (IOException e) {
            throw new IllegalArgumentException("it is no JSON: " + e.getMessage(), e);
        }
        if (root.has("plugins") || !root.has("type")) {
            return parse(text);
        }
        ObjectNode list = JSON.createObjectNode();
        for (String key : List.of("cniVersion", "cniVersions", "name")) {
            if (root.has(key)) {
                list.set(key, root.get(key));
            }
        }
        list.putArray("plugins").add(root);
        return parse(list.toString());
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
        return version.text();
    }

    /** The version that plugins are called with. */
    public CniVersion version() {
        return version;
    }

    /** True when the runtime must not call CHECK: it is switched off, or the version is older than it. */
    public boolean checkDisabled() {
        return disableCheck || !version.atLeast(CniVersion.V0_4_0);
    }

    /** True when the runtime must not call GC: it is switched off, or the version is older than it. */
    public boolean gcDisabled() {
        return disableGc || !version.atLeast(CniVersion.V1_1_0);
    }

    /** The same network with its plugins called in another version. */
    public CniNetwork withVersion(CniVersion other) {
        return new CniNetwork(name, other, disableCheck, disableGc, plugins);
    }

    /** The same plugins as a network of another name. */
    public CniNetwork withName(String other) {
        return new CniNetwork(other, version, disableCheck, disableGc, plugins);
    }

    /** The same network with each plugin's object changed; the function is given a copy to change. */
    public CniNetwork withPlugins(UnaryOperator<ObjectNode> change) {
        return new CniNetwork(
                name,
                version,
                disableCheck,
                disableGc,
                plugins.stream().map(plugin -> change.apply(plugin.deepCopy())).toList());
    }

    /** The same network with a further plugin at the end. */
    public CniNetwork withLast(ObjectNode plugin) {
        List<ObjectNode> more = new ArrayList<>(plugins);
        more.add(plugin.deepCopy());
        return new CniNetwork(name, version, disableCheck, disableGc, more);
    }

    /** Types of the plugins in their order, each the name of an executable. */
    public List<String> plugins() {
        return plugins.stream().map(plugin -> plugin.path("type").asText()).toList();
    }

    /** A plugin's object as it stands in the list. */
    public ObjectNode plugin(int index) {
        return plugins.get(index).deepCopy();
    }

    /** True when a plugin declares a capability, which makes the runtime pass a value for it. */
    public boolean declares(int index, String capability) {
        return isTrue(plugins.get(index).path("capabilities").path(capability));
    }

    /**
     * Standard input of one plugin: its own object with name and version of the list put in,
     * {@code runtimeConfig} for the capabilities it declares and no others, and {@code prevResult}
     * where there is one.
     *
     * @param plugin index in {@link #plugins()}
     * @param capabilities what the runtime could pass, by capability name
     */
    public String stdin(int plugin, Optional<JsonNode> prevResult, JsonNode capabilities) {
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
    String gcStdin(int plugin, ValidAttachments valid) {
        ObjectNode config = stdinObject(plugin);
        for (String key : List.of("cni.dev/valid-attachments", "cni.dev/attachments")) {
            switch (valid) {
                case ValidAttachments.Named(var attachments) -> {
                    var array = config.putArray(key);
                    attachments.forEach(attachment -> array.addObject()
                            .put("containerID", attachment.containerId())
                            .put("ifname", attachment.ifname()));
                }
                case ValidAttachments.Null() -> config.putNull(key);
                case ValidAttachments.Absent() -> {}
            }
        }
        return config.toString();
    }

    /** True when DEL and CHECK carry the cached result: from 0.4.0 on. */
    boolean cachesResults() {
        return version.atLeast(CniVersion.V0_4_0);
    }

    private ObjectNode stdinObject(int plugin) {
        ObjectNode config = plugins.get(plugin).deepCopy();
        config.put("name", name);
        config.put("cniVersion", version.text());
        return config;
    }

    private static CniVersion version(JsonNode root) {
        List<String> offered = new ArrayList<>();
        if (root.has("cniVersion")) {
            offered.add(root.path("cniVersion").asText());
        }
        root.path("cniVersions").forEach(version -> offered.add(version.asText()));
        if (offered.isEmpty()) {
            return CniVersion.V0_1_0;
        }
        return offered.stream()
                .flatMap(text -> CniVersion.of(text).stream())
                .max(Comparator.naturalOrder())
                .orElseThrow(() ->
                        new IllegalArgumentException("cniVersion " + offered + " is none of " + CniVersion.texts()));
    }

    /** Booleans may be the strings "true" and "false", as libcni takes them. */
    private static boolean isTrue(JsonNode value) {
        return value.asBoolean(false);
    }
}
