package io.podwire.route;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.service.ListenAddress;
import io.podwire.route.peers.PeersFile;
import io.podwire.route.peers.StateFile;
import io.podwire.route.reflect.bgp.LocalRouter;
import io.podwire.route.reflect.bgp.Origination;
import io.podwire.route.session.PeerSettings;
import io.podwire.route.session.SpeakerSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Options of the BGP speaker. Without {@code --bgp-asn} there is none. */
public final class BgpOptions {
    private static final Duration REFILL = Duration.ofSeconds(30);

    @Option(
            names = "--bgp-asn",
            paramLabel = "NUMBER",
            description = "Our AS number, 1 to 4294967295. Not set: no BGP is spoken.")
    private long asn;

    @Option(
            names = "--bgp-router-id",
            paramLabel = "ADDRESS",
            description = "Our BGP identifier: an IPv4 address that no other router has. Needed with --bgp-asn.")
    private String routerId = "";

    @Option(
            names = "--bgp-cluster-id",
            paramLabel = "ADDRESS",
            description =
                    "Names the reflectors that serve the same clients, as an IPv4 address." + " Default: the router id")
    private String clusterId = "";

    @Option(
            names = "--bgp-listen",
            paramLabel = "HOST:PORT",
            description = "Where BGP connections are taken, such as [::]:179 for both families."
                    + " Not set: peers are dialled only.")
    private String listen = "";

    @Option(
            names = "--bgp-peers-file",
            paramLabel = "FILE",
            description = "YAML file with the peers: see docs/operating.md. Read once, at the start.")
    private Path peersFile;

    @Option(
            names = "--bgp-peer",
            paramLabel = "PEER",
            split = " ",
            description = "A peer as KEY=VALUE,... with the keys of the file that take one value, such as"
                    + " address=192.0.2.254,asn=64513. May be given more than once.")
    private List<String> peers = new ArrayList<>();

    @Option(
            names = "--bgp-aggregates",
            paramLabel = "PREFIX",
            split = ",",
            description = "Prefixes, such as those of address pools, that peers are told in place of nodes' prefixes"
                    + " inside them. A peer with exportRules is told what these permit.")
    private List<String> aggregates = new ArrayList<>();

    @Option(
            names = "--bgp-services",
            paramLabel = "PREFIX",
            split = ",",
            description = "Prefixes of addresses of services that peers are told, with every connected node as a"
                    + " next hop: one of them, or several where the peer has addPaths. Besides them peers are told each"
                    + " load balancer and external IP inside them of a service with externalTrafficPolicy Local, with"
                    + " the nodes that have an endpoint as next hops. The word pools stands for ipam-service's pools of"
                    + " purpose load-balancer, read again at each --ownership-interval; it needs --ipam-service.")
    private List<String> services = new ArrayList<>();

    @Option(
            names = "--bgp-state-file",
            paramLabel = "FILE",
            description = "Where peers that callers create, and nodes of which they say that they leave, outlive a"
                    + " restart. Not set: callers cannot. The folder must be there; each replica has its own file.")
    private Path stateFile;

    @Option(
            names = "--bgp-kubernetes",
            description = "Read BGPPeers, podwire.io/v1, and which nodes are cordoned from the Kubernetes API:"
                    + " in-cluster service account, or KUBECONFIG")
    private boolean kubernetes;

    /** The word among {@code --bgp-services} that stands for ipam-service's pools. */
    private static final String POOLS = "pools";

    /** Prefixes in which addresses of services lie, beside those of {@link #servicePools}. */
    List<IpPrefix> services() {
        return prefixes(
                "--bgp-services",
                services.stream().filter(text -> !text.equals(POOLS)).toList());
    }

    /** Whether they lie in ipam-service's pools for load balancers too. */
    boolean servicePools() {
        return services.contains(POOLS);
    }

    /** Where what callers declare is kept. */
    Optional<StateFile> stateFile() {
        return Optional.ofNullable(stateFile).map(StateFile::new);
    }

    /** Whether Kubernetes declares peers and cordons nodes. */
    boolean kubernetes() {
        return kubernetes;
    }

    /**
     * What the speaker needs; empty when none is asked for.
     *
     * @throws IllegalArgumentException naming the option or the file and what is wrong
     */
    public Optional<SpeakerSettings> settings() {
        if (asn == 0) {
            if (!routerId.isEmpty()
                    || !listen.isEmpty()
                    || peersFile != null
                    || !peers.isEmpty()
                    || stateFile != null
                    || kubernetes
                    || !aggregates.isEmpty()
                    || !services.isEmpty()) {
                throw new IllegalArgumentException("options --bgp-... need --bgp-asn, our AS number");
            }
            return Optional.empty();
        }
        if (asn < 1 || asn > 0xFFFF_FFFFL) {
            throw new IllegalArgumentException("--bgp-asn must be 1 to 4294967295, got " + asn);
        }
        IpAddress identifier = identifier("--bgp-router-id", routerId);
        LocalRouter local = new LocalRouter(
                asn, identifier, clusterId.isEmpty() ? identifier : identifier("--bgp-cluster-id", clusterId));
        List<PeerSettings> all = new ArrayList<>();
        if (peersFile != null) {
            try {
                all.addAll(PeersFile.parse(Files.readAllBytes(peersFile), asn));
            } catch (IOException e) {
                throw new IllegalArgumentException("--bgp-peers-file " + peersFile + " cannot be read: " + e, e);
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("--bgp-peers-file " + peersFile + ": " + e.getMessage(), e);
            }
        }
        for (String peer : peers) {
            try {
                all.add(PeersFile.parseOption(peer, asn));
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("--bgp-peer " + peer + ": " + e.getMessage(), e);
            }
        }
        Origination origination = new Origination(prefixes("--bgp-aggregates", aggregates), services());
        return Optional.of(
                listen.isEmpty()
                        ? new SpeakerSettings(local, "", 0, all, origination, REFILL)
                        : switch (ListenAddress.parse("--bgp-listen", listen)) {
                            case ListenAddress.Tcp(String host, int port) ->
                                new SpeakerSettings(local, host, port, all, origination, REFILL);
                            case ListenAddress.Unix unix ->
                                throw new IllegalArgumentException(
                                        "--bgp-listen must be HOST:PORT, got unix:" + unix.path());
                        });
    }

    private static List<IpPrefix> prefixes(String option, List<String> texts) {
        try {
            return texts.stream().map(IpPrefix::parse).toList();
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(option + ": " + e.getMessage(), e);
        }
    }

    private static IpAddress identifier(String option, String text) {
        try {
            IpAddress address = IpAddress.parse(text);
            if (address.family() == IpFamily.V4 && address.low() != 0) {
                return address;
            }
        } catch (IllegalArgumentException _) {
            // The message below says it all.
        }
        throw new IllegalArgumentException(
                option + " must be an IPv4 address such as 192.0.2.1 and not 0.0.0.0, got '" + text + "'");
    }
}
