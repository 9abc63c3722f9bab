package io.podwire.cli.lab;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.IntFunction;

/**
 * The part of a container runtime that calls CNI plugins: executes them with the environment, the
 * standard input and the cached results that libcni would give them. For any thread.
 */
public final class CniRuntime {
    private static final JsonNode NO_CAPABILITIES = JsonNodeFactory.instance.objectNode();

    private final CniNetwork network;
    private final CniPlugins plugins;
    private final Map<Key, JsonNode> results = new ConcurrentHashMap<>();

    private record Key(String containerId, String ifname) {
        static Key of(CniAttachment attachment) {
            return new Key(attachment.containerId(), attachment.ifname());
        }
    }

    /**
     * How an operation ended: by the last plugin that ran.
     *
     * @param executions every plugin that ran, in their order; at least one
     */
    public record Outcome(List<CniExecution> executions) {
        /** Copies what could change. */
        public Outcome {
            executions = List.copyOf(executions);
        }

        /** The plugin that ran last. */
        public CniExecution last() {
            return executions.getLast();
        }

        /** 0 when every plugin succeeded. */
        public int exitCode() {
            return last().exitCode();
        }

        /** The result of ADD, a CNI error object, or nothing. */
        public String stdout() {
            return last().stdout();
        }

        /** What the last plugin logged. */
        public String stderr() {
            return last().stderr();
        }

        /** Time of all plugins. */
        public Duration took() {
            return executions.stream().map(CniExecution::took).reduce(Duration.ZERO, Duration::plus);
        }

        /** True when every plugin succeeded. */
        public boolean ok() {
            return last().ok();
        }

        /**
         * What was printed, as JSON.
         *
         * @throws IllegalStateException when it is none
         */
        public JsonNode json() {
            return last().parsed();
        }

        /** Exit code and what was printed, in one line. */
        public String text() {
            return last().text();
        }
    }

    /**
     * A runtime of one network.
     *
     * @param binDir where plugins are
     * @param prefix words before the plugin's path: how the runtime's own namespace is entered
     */
    public CniRuntime(CniNetwork network, Path binDir, List<String> prefix) {
        this(network, new CniPlugins(List.of(binDir), prefix));
    }

    /** A runtime of one network. */
    public CniRuntime(CniNetwork network, CniPlugins plugins) {
        this.network = network;
        this.plugins = plugins;
    }

    /** ADD through the chain; stops at the first failure, after which a runtime calls {@link #del}. */
    public Outcome add(CniAttachment attachment) {
        Optional<JsonNode> previous = Optional.empty();
        List<CniExecution> done = new ArrayList<>();
        for (int plugin = 0; plugin < network.plugins().size(); plugin++) {
            CniExecution execution =
                    execute(plugin, env("ADD", attachment), network.stdin(plugin, previous, attachment.capabilities()));
            done.add(execution);
            if (!execution.ok()) {
                return new Outcome(done);
            }
            previous = Optional.of(execution.parsed());
        }
        previous.ifPresent(result -> results.put(Key.of(attachment), result));
        return new Outcome(done);
    }

    /** DEL through the chain in reverse, with the cached result where there is one. */
    public Outcome del(CniAttachment attachment) {
        Optional<JsonNode> cached = network.cachesResults() ? cached(attachment) : Optional.empty();
        List<CniExecution> done = new ArrayList<>();
        for (int plugin = network.plugins().size() - 1; plugin >= 0; plugin--) {
            CniExecution execution =
                    execute(plugin, env("DEL", attachment), network.stdin(plugin, cached, attachment.capabilities()));
            done.add(execution);
            if (!execution.ok()) {
                return new Outcome(done);
            }
        }
        results.remove(Key.of(attachment));
        return new Outcome(done);
    }

    /** Forgets the result of an ADD, as a runtime does that ends before it has saved it. */
    public void forget(CniAttachment attachment) {
        results.remove(Key.of(attachment));
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
        return gc(new ValidAttachments.Named(valid));
    }

    /**
     * GC, after DEL of what is cached and not among the valid ones. Goes on after a plugin that failed;
     * the outcome ends with a failure where there was one.
     *
     * @throws IllegalStateException when the network does not allow GC
     */
    public Outcome gc(ValidAttachments valid) {
        if (network.gcDisabled()) {
            throw new IllegalStateException("a runtime does not call GC on network " + network.name());
        }
        List<Key> kept = switch (valid) {
            case ValidAttachments.Named(var attachments) ->
                attachments.stream().map(Key::of).toList();
            case ValidAttachments.Null(), ValidAttachments.Absent() -> List.of();
        };
        for (Key stale : List.copyOf(results.keySet())) {
            if (!kept.contains(stale)) {
                var _ = del(new CniAttachment(stale.containerId(), "", stale.ifname(), Map.of(), NO_CAPABILITIES));
            }
        }
        List<CniExecution> done = new ArrayList<>();
        for (int plugin = 0; plugin < network.plugins().size(); plugin++) {
            done.add(execute(plugin, env("GC", "", "", "", ""), network.gcStdin(plugin, valid)));
        }
        // A stable sort: those that failed come last, in their order.
        done.sort(Comparator.comparing(execution -> !execution.ok()));
        return new Outcome(done);
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

    private Outcome forward(Map<String, String> env, IntFunction<String> stdin) {
        List<CniExecution> done = new ArrayList<>();
        for (int plugin = 0; plugin < network.plugins().size(); plugin++) {
            done.add(execute(plugin, env, stdin.apply(plugin)));
            if (!done.getLast().ok()) {
                break;
            }
        }
        return new Outcome(done);
    }

    private CniExecution execute(int plugin, Map<String, String> env, String stdin) {
        return plugins.execute(network.plugins().get(plugin), env, stdin);
    }

    private Map<String, String> env(String command, CniAttachment attachment) {
        return env(command, attachment.containerId(), attachment.netns(), attachment.ifname(), attachment.argsText());
    }

    private Map<String, String> env(String command, String containerId, String netns, String ifname, String args) {
        Map<String, String> env = new LinkedHashMap<>();
        env.put("CNI_COMMAND", command);
        env.put("CNI_CONTAINERID", containerId);
        env.put("CNI_NETNS", netns);
        env.put("CNI_IFNAME", ifname);
        env.put("CNI_ARGS", args);
        env.put("CNI_PATH", plugins.path());
        return env;
    }
}
