package io.podwire.cli.conformance;

import io.podwire.cli.CommandFailure;
import io.podwire.cli.lab.CniNetwork;
import io.podwire.cli.lab.CniPlugins;
import io.podwire.cli.lab.CniVersion;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What is to be tested, and how.
 *
 * @param network the chain, as the runtime reads it
 * @param pluginDirs where plugins are looked for
 * @param hostNetns namespace that plugins run in; empty for that of this process
 * @param ifname CNI_IFNAME; "lo" for a plugin that adjusts the loopback interface
 * @param versions which versions of the specification, oldest first
 * @param ticks which checks; empty for all
 * @param daemonKey key of a plugin's configuration that holds the path of its daemon's socket
 * @param addresses how many attachments use up the network's addresses; empty when that is not to be tried
 * @param alone true when nobody else uses the host's namespace, so that it may be damaged
 */
public record Setup(
        CniNetwork network,
        List<Path> pluginDirs,
        Optional<Path> hostNetns,
        String ifname,
        List<CniVersion> versions,
        Set<String> ticks,
        Optional<String> daemonKey,
        OptionalInt addresses,
        boolean alone) {
    /** Versions that are tested unless others are asked for; of the first two, the shape of results only. */
    public static final List<CniVersion> VERSIONS = List.of(
            CniVersion.V0_1_0,
            CniVersion.V0_2_0,
            CniVersion.V0_3_1,
            CniVersion.V0_4_0,
            CniVersion.V1_0_0,
            CniVersion.V1_1_0);

    /**
     * Checks it.
     *
     * @throws CommandFailure when a tick is unknown, or a directory lacks a plugin of the chain
     */
    public Setup {
        pluginDirs = List.copyOf(pluginDirs);
        versions = versions.stream().distinct().sorted().toList();
        ticks = Set.copyOf(ticks);
        Set<String> known = Check.all().stream().map(Check::id).collect(Collectors.toSet());
        Set<String> unknown = new TreeSet<>(ticks);
        unknown.removeAll(known);
        if (!unknown.isEmpty()) {
            throw new CommandFailure("no such tick: " + String.join(", ", unknown) + "; there are "
                    + Check.all().stream().map(Check::id).collect(Collectors.joining(", ")));
        }
        CniPlugins plugins = new CniPlugins(pluginDirs, List.of());
        List<String> missing = network.plugins().stream()
                .filter(type -> plugins.find(type).isEmpty())
                .toList();
        if (!missing.isEmpty()) {
            throw new CommandFailure("no executable " + String.join(", ", missing) + " in "
                    + pluginDirs.stream().map(Path::toString).collect(Collectors.joining(", "))
                    + ": plugins are looked for by their \"type\" in every --plugin-dir");
        }
        if (daemonKey.isPresent()
                && IntStream.range(0, network.plugins().size())
                        .noneMatch(plugin -> network.plugin(plugin).has(daemonKey.get()))) {
            throw new CommandFailure("no plugin of the configuration has the key \"" + daemonKey.get() + "\"");
        }
    }

    /** All of a chain, with its plugins in some directories and a host of its own. */
    public static Setup of(CniNetwork network, List<Path> pluginDirs, Path hostNetns) {
        return new Setup(
                network,
                pluginDirs,
                Optional.of(hostNetns),
                "eth0",
                VERSIONS,
                Set.of(),
                Optional.empty(),
                OptionalInt.empty(),
                true);
    }
}
