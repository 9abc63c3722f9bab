package io.podwire.cli.lab;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The part of a container runtime that calls CNI plugins: executes them with the environment, the
 * standard input and the cached results that libcni would give them. For any thread.
 */
public final class CniRuntime {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final JsonNode NO_CAPABILITIES = JsonNodeFactory.instance.objectNode();
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private final CniNetwork network;
    private final Path binDir;
    private final List<String> prefix;
    private final Map<Key, JsonNode> results = new ConcurrentHashMap<>();

    private record Key(String containerId, String ifname) {
        static Key of(CniAttachment attachment) {
            return new Key(attachment.containerId(), attachment.ifname());
        }
    }

    /**
     * How an operation ended: the last plugin that ran, and the time of all of them.
     *
     * @param exitCode 0 when every plugin succeeded
     * @param stdout the result of ADD, a CNI error object, or nothing
     */
    public record Outcome(int exitCode, String stdout, String stderr, Duration took) {
        /** True when every plugin succeeded. */
        public boolean ok() {
            return exitCode == 0;
        }

        /**
         * What was printed, as JSON.
         *
         * @throws IllegalStateException when it is none
         */
        public JsonNode json() {
            try {
                return JSON.readTree(stdout);
            } catch (JsonProcessingException e) {
                throw new IllegalStateException("the plugin printed no JSON: " + stdout, e);
            }
        }

        /** Exit code and what was printed, in one line. */
        public String text() {
            return "exit code " + exitCode + ", "
                    + (stdout + " " + stderr).strip().replace('\n', ' ');
        }
    }

    /**
     * A runtime of one network.
     *
     * @param binDir where plugins are
     * @param prefix words before the plugin's path: how the runtime's own namespace is entered
     */
    public CniRuntime(CniNetwork network, Path binDir, List<String> prefix) {
        this.network = network;
        this.binDir = binDir;
        this.prefix = List.copyOf(prefix);
    }

    /** ADD through the chain; stops at the first failure, after which a runtime calls {@link #del}. */
    public Outcome add(CniAttachment attachment) {
        Optional<JsonNode> previous = Optional.empty();
        Duration took = Duration.ZERO;
        Outcome outcome = null;
        for (int plugin = 0; plugin < network.plugins().size(); plugin++) {
            outcome = execute(
                    plugin, env("ADD", attachment), network.stdin(plugin, previous, attachment.capabilities()), took);
            took = outcome.took();
            if (!outcome.ok()) {
                return outcome;
            }
            previous = Optional.of(outcome.json());
        }
        previous.ifPresent(result -> results.put(Key.of(attachment), result));
        return outcome;
    }

    /** DEL through the chain in reverse, with the cached result where there is one. */
    public Outcome del(CniAttachment attachment) {
        Optional<JsonNode> cached = network.cachesResults() ? cached(attachment) : Optional.empty();
        Duration took = Duration.ZERO;
        Outcome outcome = null;
        for (int plugin = network.plugins().size() - 1; plugin >= 0; plugin--) {
            outcome = execute(
                    plugin, env("DEL", attachment), network.stdin(plugin, cached, attachment.capabilities()), took);
            took = outcome.took();
            if (!outcome.ok()) {
                return outcome;
            }
        }
        results.remove(Key.of(attachment));
        return outcome;
    }

    /**
     * CHECK through the chain, with the cached result of ADD.
     *
     * @throws IllegalStateException when the network does not allow CHECK, or nothing was added
     */
    public Outcome check(CniAttachment attachment) {
        JsonNode cached =
                cached(attachment).orElseThrow(() -> new IllegalStateException("CHECK needs an ADD before it"));
        if (network.checkDisabled()) {
            throw new IllegalStateException("a runtime does not call CHECK on network " + network.name());
        }
        return forward(
                env("CHECK", attachment),
                plugin -> network.stdin(plugin, Optional.of(cached), attachment.capabilities()));
    }

    /** GC, after DEL of what is cached and not among the valid ones: needs version 1.1.0. */
    public Outcome gc(List<CniAttachment> valid) {
        List<Key> kept = valid.stream().map(Key::of).toList();
        for (Key stale : List.copyOf(results.keySet())) {
            if (!kept.contains(stale)) {
                var _ = del(new CniAttachment(stale.containerId(), "", stale.ifname(), Map.of(), NO_CAPABILITIES));
            }
        }
        return forward(env("GC", "", "", "", ""), plugin -> network.gcStdin(plugin, valid));
    }

    /** STATUS: needs version 1.1.0. */
    public Outcome status() {
        return forward(
                env("STATUS", "", "", "", ""), plugin -> network.stdin(plugin, Optional.empty(), NO_CAPABILITIES));
    }

    /** VERSION, with the meaningless variables that libcni sends. */
    public Outcome version() {
        return forward(
                env("VERSION", "", "dummy", "dummy", ""), _ -> "{\"cniVersion\":\"" + network.cniVersion() + "\"}");
    }

    private Optional<JsonNode> cached(CniAttachment attachment) {
        return Optional.ofNullable(results.get(Key.of(attachment)));
    }

    private Outcome forward(Map<String, String> env, java.util.function.IntFunction<String> stdin) {
        Duration took = Duration.ZERO;
        Outcome outcome = null;
        for (int plugin = 0; plugin < network.plugins().size(); plugin++) {
            outcome = execute(plugin, env, stdin.apply(plugin), took);
            took = outcome.took();
            if (!outcome.ok()) {
                return outcome;
            }
        }
        return outcome;
    }

    private Outcome execute(int plugin, Map<String, String> env, String stdin, Duration before) {
        List<String> command = new ArrayList<>(prefix);
        command.add(binDir.resolve(network.plugins().get(plugin)).toString());
        Tool.Finished end = Tool.run(command, env, stdin, TIMEOUT);
        return new Outcome(end.exitCode(), end.stdout(), end.stderr(), before.plus(end.took()));
    }

    private Map<String, String> env(String command, CniAttachment attachment) {
        return env(command, attachment.containerId(), attachment.netns(), attachment.ifname(), attachment.argsText());
    }

    private Map<String, String> env(String command, String containerId, String netns, String ifname, String args) {
        Map<String, String> env = new LinkedHashMap<>();
        env.put("PATH", System.getenv().getOrDefault("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"));
        env.put("CNI_COMMAND", command);
        env.put("CNI_CONTAINERID", containerId);
        env.put("CNI_NETNS", netns);
        env.put("CNI_IFNAME", ifname);
        env.put("CNI_ARGS", args);
        env.put("CNI_PATH", binDir.toString());
        return env;
    }
}
