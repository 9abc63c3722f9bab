package io.podwire.cli.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.cli.lab.Await;
import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniExecution;
import io.podwire.cli.lab.CniNetwork;
import io.podwire.cli.lab.CniPlugins;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.cli.lab.CniVersion;
import io.podwire.cli.lab.ValidAttachments;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The hands of one run of one check: it makes containers, calls plugins as a runtime does, writes down
 * what it finds, and undoes everything at its end. Calls of plugins may come from several threads, all
 * else from one.
 */
final class Probe implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** The kernel removes devices of a deleted namespace some time later. */
    private static final Duration SETTLED = Duration.ofSeconds(3);

    private static final Duration SOON = Duration.ofSeconds(1);

    private final Bench bench;
    private final CniPlugins plugins;
    private final List<Finding> findings = new ArrayList<>();
    private final ConcurrentLinkedDeque<CniExecution> executions = new ConcurrentLinkedDeque<>();
    private final ConcurrentLinkedDeque<Runnable> undo = new ConcurrentLinkedDeque<>();
    private final List<Container> containers = new ArrayList<>();

    Probe(Bench bench) {
        this.bench = bench;
        plugins = bench.plugins().witnessed(executions::add);
        bench.delegate().reset();
    }

    /** A container with an interface that an ADD has made. */
    record Added(Container container, CniAttachment attachment, CniRuntime.Outcome outcome, JsonNode result) {}

    CniVersion version() {
        return bench.version();
    }

    CniNetwork network() {
        return bench.network();
    }

    Namespace host() {
        return bench.host();
    }

    Setup setup() {
        return bench.setup();
    }

    Delegate delegate() {
        return bench.delegate();
    }

    Bench bench() {
        return bench;
    }

    /** CNI_IFNAME of this run. */
    String ifname() {
        return setup().ifname();
    }

    /** False for a plugin that adjusts lo: then nothing can be made twice, taken away or under another name. */
    boolean makesInterfaces() {
        return !ifname().equals("lo");
    }

    /** Indexes of the chain's plugins. */
    List<Integer> indexes() {
        return IntStream.range(0, network().plugins().size()).boxed().toList();
    }

    List<Finding> findings() {
        return List.copyOf(findings);
    }

    /** The execution that ended last. */
    Optional<CniExecution> lastExecution() {
        return Optional.ofNullable(executions.peekLast());
    }

    // Findings

    void problem(String problem, CniExecution... evidence) {
        findings.add(new Finding(problem, List.of(evidence)));
    }

    /** Writes a problem down unless something holds. */
    void require(boolean holds, String problem, CniExecution... evidence) {
        if (!holds) {
            problem(problem, evidence);
        }
    }

    /** Ends the check when something does not hold. */
    void demand(boolean holds, String problem, CniExecution... evidence) {
        if (!holds) {
            problem(problem, evidence);
            throw new Halted();
        }
    }

    void skipUnless(boolean fits, String reason) {
        if (!fits) {
            throw new Skipped(reason);
        }
    }

    /** For checks of what a plugin does with an IPAM plugin: only where there is one. */
    void skipWithoutDelegate() {
        skipUnless(Delegate.fits(network()), "no plugin of the chain has an \"ipam\" with a type to delegate to");
    }

    /** A failure that has one of some codes; anything else is a problem. */
    void requireRefusal(String what, CniExecution execution, Set<Integer> codes) {
        if (execution.ok()) {
            problem(execution.plugin() + " accepts " + what, execution);
        } else if (!codes.contains(execution.errorCode().orElse(-1))) {
            problem(
                    execution.plugin() + " refuses " + what + " with code "
                            + (execution.errorCode().isPresent()
                                    ? String.valueOf(execution.errorCode().getAsInt())
                                    : "none")
                            + ", expected " + words(codes),
                    execution);
        }
    }

    private static String words(Set<Integer> codes) {
        return new TreeSet<>(codes).stream().map(String::valueOf).collect(Collectors.joining(" or "));
    }

    // Calls of one plugin

    /** The environment of a call about a container. */
    Map<String, String> env(String command, Container container) {
        Map<String, String> env = new LinkedHashMap<>();
        env.put("CNI_COMMAND", command);
        env.put("CNI_CONTAINERID", container.id());
        env.put("CNI_NETNS", container.netns());
        env.put("CNI_IFNAME", ifname());
        env.put("CNI_ARGS", "IgnoreUnknown=1");
        env.put("CNI_PATH", plugins.path());
        return env;
    }

    /** What an ordinary ADD gave a plugin on standard input. */
    ObjectNode stdin(int plugin) {
        return object(bench.sample().get(plugin).stdin());
    }

    /** What an ordinary ADD, CHECK or DEL of the whole chain gives a plugin: with the final result. */
    ObjectNode finalStdin(int plugin) {
        ObjectNode stdin = stdin(plugin);
        stdin.set("prevResult", bench.sampleResult());
        return stdin;
    }

    /** Executes one plugin; an ADD that succeeds is undone at the end. */
    CniExecution call(int plugin, Map<String, String> env, String stdin) {
        return call(plugin, env, stdin.getBytes(StandardCharsets.UTF_8));
    }

    /** Executes one plugin with bytes that need be no text. */
    CniExecution call(int plugin, Map<String, String> env, byte[] stdin) {
        String type = network().plugins().get(plugin);
        CniExecution execution = plugins.execute(type, env, stdin);
        if (execution.ok() && execution.command().equals("ADD")) {
            Map<String, String> del = new LinkedHashMap<>(env);
            del.put("CNI_COMMAND", "DEL");
            undo.addFirst(() -> plugins.execute(type, del, stdin));
        }
        return execution;
    }

    CniExecution callWithUnreadableStdin(int plugin, Map<String, String> env) {
        return plugins.executeWithUnreadableStdin(network().plugins().get(plugin), env);
    }

    // The whole chain

    /** A runtime of the chain, with an empty cache. */
    CniRuntime runtime() {
        return runtime(network());
    }

    /** A runtime of another chain. */
    CniRuntime runtime(CniNetwork other) {
        return new CniRuntime(other, plugins);
    }

    /** ADD, which may fail; what succeeds and is not deleted by the check is deleted at its end. */
    CniRuntime.Outcome add(CniRuntime runtime, CniAttachment attachment) {
        // Deleted even after a failure, as by every runtime.
        undo.addFirst(() -> runtime.del(attachment));
        try {
            return runtime.add(attachment);
        } catch (IllegalStateException e) {
            problem("ADD succeeds and prints no JSON", lastExecution().orElseThrow());
            throw new Halted();
        }
    }

    /** ADD of a new container, which has to succeed. */
    Added added(CniRuntime runtime) {
        return added(runtime, container());
    }

    Added added(CniRuntime runtime, Container container) {
        return added(runtime, container, container.attachment(ifname()));
    }

    Added added(CniRuntime runtime, Container container, CniAttachment attachment) {
        CniRuntime.Outcome outcome = add(runtime, attachment);
        demand(outcome.ok(), "an ordinary ADD fails: " + outcome.last().errorText(), outcome.last());
        return new Added(container, attachment, outcome, outcome.json());
    }

    /** DEL, which has to succeed and to print nothing. */
    void requireDel(CniRuntime runtime, CniAttachment attachment, String when) {
        CniRuntime.Outcome outcome = runtime.del(attachment);
        require(outcome.ok(), "DEL fails " + when + ": " + outcome.last().errorText(), outcome.last());
        require(
                !outcome.ok() || outcome.stdout().isBlank(),
                "DEL prints something on standard output " + when,
                outcome.last());
    }

    /** CHECK; empty where the version has none. */
    Optional<CniExecution> check(CniRuntime runtime, CniAttachment attachment) {
        return version().atLeast(CniVersion.V0_4_0)
                ? Optional.of(runtime.check(attachment).last())
                : Optional.empty();
    }

    /** CHECK, which has to succeed; nothing where the version has none. */
    void requireCheck(CniRuntime runtime, CniAttachment attachment, String when) {
        check(runtime, attachment)
                .filter(checked -> !checked.ok())
                .ifPresent(checked -> problem("CHECK fails " + when + ": " + checked.errorText(), checked));
    }

    /** CHECK, which has to succeed unless it fails after every ordinary ADD too: that is for C1 to tell. */
    void requireUsualCheck(CniRuntime runtime, CniAttachment attachment, String when) {
        if (bench.checked()) {
            requireCheck(runtime, attachment, when);
        }
    }

    /** For checks that want CHECK to fail: only where it succeeds otherwise. */
    void skipWithoutUsualCheck() {
        skipUnless(bench.checked(), "CHECK fails after an ordinary ADD, see C1: another failure would tell nothing");
    }

    /** GC by a runtime that has nothing cached, so that the plugin alone does the work. */
    CniRuntime.Outcome gc(CniNetwork which, ValidAttachments valid) {
        return runtime(which).gc(valid);
    }

    // Containers and what they leave

    /** A new container, deleted at the end. */
    Container container() {
        Container container = bench.newContainer();
        containers.add(container);
        return container;
    }

    /** Addresses, devices and id by which an attachment can be recognised on the host. */
    List<String> words(Added added, KernelState before) {
        List<String> words = new ArrayList<>(List.of(added.container().id()));
        addresses(added.result()).forEach(cidr -> words.add(cidr.address().toString()));
        for (JsonNode one : added.result().path("interfaces")) {
            String name = one.path("name").asText();
            if (one.path("sandbox").asText("").isEmpty() && before.link(name).isEmpty()) {
                words.add(name);
            }
        }
        return words;
    }

    /** The addresses of a result in any version. */
    static List<Cidr> addresses(JsonNode result) {
        List<Cidr> addresses = new ArrayList<>();
        for (JsonNode ip : result.path("ips")) {
            Cidr.of(ip.path("address").asText("")).ifPresent(addresses::add);
        }
        for (String pair : List.of("ip4", "ip6")) {
            Cidr.of(result.path(pair).path("ip").asText("")).ifPresent(addresses::add);
        }
        return addresses;
    }

    /** Waits until the host holds nothing of an attachment any more; a problem when something stays. */
    void requireNoResidue(KernelState before, Collection<String> words, String when, CniExecution... evidence) {
        requireNoResidue(before, words, setup().alone(), when, evidence);
    }

    /** Waits until nothing on the host names an attachment any more, whatever else is there. */
    void requireForgotten(Collection<String> words, String when, CniExecution... evidence) {
        requireNoResidue(KernelState.EMPTY, words, false, when, evidence);
    }

    private void requireNoResidue(
            KernelState before, Collection<String> words, boolean alone, String when, CniExecution... evidence) {
        Supplier<List<String>> left = () -> host().look().residue(before, words, alone);
        if (!Await.eventually(SETTLED, () -> left.get().isEmpty())) {
            List<String> lines = left.get();
            require(lines.isEmpty(), "left on the host " + when + ": " + String.join("; ", lines), evidence);
        }
    }

    /** Waits until a container is as it was; a problem when it stays another. */
    void requireUnchanged(Container container, KernelState before, String when, CniExecution... evidence) {
        if (!Await.eventually(SOON, () -> difference(container, before).isEmpty())) {
            String difference = difference(container, before);
            require(difference.isEmpty(), "the container is changed " + when + ": " + difference, evidence);
        }
    }

    private static String difference(Container container, KernelState before) {
        KernelState now = container.namespace().look();
        List<String> texts = new ArrayList<>();
        now.minus(before).forEach(line -> texts.add("new is " + line));
        before.minus(now).forEach(line -> texts.add("gone is " + line));
        return String.join("; ", texts);
    }

    /** Runs tasks at once, and waits for all of them. */
    static <T, R> List<R> atOnce(List<T> subjects, Function<T, R> task) {
        List<R> results = new ArrayList<>();
        try (var executor = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<R>> futures = subjects.stream()
                    .map(subject -> executor.submit(() -> task.apply(subject)))
                    .toList();
            for (Future<R> future : futures) {
                results.add(future.get());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw new IllegalStateException(e.getCause());
        }
        return results;
    }

    static ObjectNode object(String json) {
        try {
            return (ObjectNode) JSON.readTree(json);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Deletes what the check has added, newest first, and then the containers. */
    @Override
    public void close() {
        bench.delegate().reset();
        undo.forEach(Runnable::run);
        containers.forEach(Container::delete);
    }
}
