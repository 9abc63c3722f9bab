package io.podwire.cli.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniExecution;
import io.podwire.cli.lab.CniNetwork;
import io.podwire.cli.lab.CniPlugins;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.cli.lab.CniVersion;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What the checks of one version share: the chain in that version, the host it runs on, the tester's own
 * plugins, and how an ordinary ADD went, from which they know what each plugin is given.
 */
final class Bench {
    private static final AtomicInteger SERIAL = new AtomicInteger();

    private final Setup setup;
    private final CniVersion version;
    private final CniNetwork network;
    private final Namespace host;
    private final Delegate delegate;
    private final CniPlugins plugins;
    private final Map<String, Set<String>> spoken = new HashMap<>();
    private Optional<CniRuntime.Outcome> sample = Optional.empty();
    private boolean checked;

    Bench(Setup setup, CniVersion version, Namespace host, Delegate delegate) {
        this.setup = setup;
        this.version = version;
        this.host = host;
        this.delegate = delegate;
        network = setup.network().withVersion(version);
        plugins = new CniPlugins(setup.pluginDirs(), host.prefix()).before(delegate.folder());
    }

    /** Asks the plugins for their versions, and tries an ordinary ADD and DEL where all speak this one. */
    void prepare() {
        for (String type : network.plugins()) {
            Set<String> versions = new HashSet<>();
            plugins.execute(
                            type,
                            Map.of("CNI_COMMAND", "VERSION", "CNI_PATH", plugins.path()),
                            question(version.text()))
                    .json()
                    .ifPresent(answer -> answer.path("supportedVersions").forEach(text -> versions.add(text.asText())));
            spoken.put(type, Set.copyOf(versions));
        }
        if (silent().isPresent()) {
            return;
        }
        Container container = newContainer();
        try {
            CniAttachment attachment = container.attachment(setup.ifname());
            CniRuntime runtime = new CniRuntime(network, plugins);
            sample = Optional.of(runtime.add(attachment));
            sample.filter(CniRuntime.Outcome::ok).ifPresent(added -> {
                delegate.imitate(added.json());
                checked = version.atLeast(CniVersion.V0_4_0)
                        && runtime.check(attachment).ok();
            });
            var _ = runtime.del(attachment);
        } finally {
            container.delete();
        }
    }

    /** What VERSION is asked on standard input. */
    static String question(String version) {
        return JsonNodeFactory.instance.objectNode().put("cniVersion", version).toString();
    }

    /** The first plugin that does not speak this version. */
    Optional<String> silent() {
        return network.plugins().stream().filter(type -> !speaks(type, version)).findFirst();
    }

    boolean speaks(String type, CniVersion which) {
        return spoken.getOrDefault(type, Set.of()).contains(which.text());
    }

    /** Why an ordinary ADD failed; empty when it succeeded. */
    Optional<CniExecution> failedSample() {
        return sample.map(CniRuntime.Outcome::last).filter(last -> !last.ok());
    }

    /** True when CHECK succeeded after an ordinary ADD, so that its failure elsewhere means something. */
    boolean checked() {
        return checked;
    }

    /** What each plugin of the chain was given and answered in an ordinary ADD. */
    List<CniExecution> sample() {
        return sample.map(CniRuntime.Outcome::executions).orElse(List.of());
    }

    /** The result of an ordinary ADD. */
    JsonNode sampleResult() {
        return sample().getLast().json().orElseThrow();
    }

    Container newContainer() {
        return Container.make("pwct-" + ProcessHandle.current().pid() + "-" + SERIAL.incrementAndGet());
    }

    Setup setup() {
        return setup;
    }

    CniVersion version() {
        return version;
    }

    CniNetwork network() {
        return network;
    }

    Namespace host() {
        return host;
    }

    Delegate delegate() {
        return delegate;
    }

    CniPlugins plugins() {
        return plugins;
    }
}
