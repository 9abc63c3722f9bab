package io.podwire.route.peers;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.NodeName;
import io.podwire.route.session.PeerSettings;
import io.podwire.route.session.SpeakerSettings;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who declares which peers and which nodes leave: options and the peers' file, once; callers of the API, kept in a
 * file; objects of Kubernetes. Tells the speaker what that adds up to. For any thread: one lock guards it.
 */
public final class PeerRegistry {
    private static final Logger log = LoggerFactory.getLogger(PeerRegistry.class);

    private final SpeakerSettings fixed;
    private final Optional<StateFile> file;
    private final Consumer<List<PeerSettings>> peers;
    private final Consumer<Set<NodeName>> leaving;

    private StateFile.State kept;
    /** Of {@link #kept}, in its order: keys are read when a peer is declared. */
    private List<PeerSettings> created;

    private SortedMap<String, PeersFile.Peer> ofKubernetes = new TreeMap<>();
    private Set<NodeName> cordoned = Set.of();
    private Map<String, Source> sources = Map.of();
    private String refused = "";

    /** Who declared a peer. */
    public enum Source {
        /** Options and the peers' file. */
        OPTIONS,
        /** A caller of the API. */
        GRPC,
        /** A BGPPeer. */
        KUBERNETES
    }

    /**
     * Reads what is kept, and tells the speaker.
     *
     * @param fixed the settings of the start, with the peers of options and of the peers' file
     * @param file where what callers declare is kept; empty: they cannot declare anything
     * @param peers takes the further peers
     * @param leaving takes the nodes that leave
     * @throws IllegalArgumentException when the file has what cannot be
     */
    public PeerRegistry(
            SpeakerSettings fixed,
            Optional<StateFile> file,
            Consumer<List<PeerSettings>> peers,
            Consumer<Set<NodeName>> leaving) {
        this.fixed = fixed;
        this.file = file;
        this.peers = peers;
        this.leaving = leaving;
        this.kept = file.map(StateFile::read).orElse(StateFile.State.NONE);
        this.created = settings(kept);
        tell();
    }

    /**
     * Adds a peer and keeps it. The same peer again changes nothing.
     *
     * @return its settings
     * @throws ServiceException ALREADY_EXISTS when another peer has the name or the address
     * @throws IllegalArgumentException naming the field that is wrong
     */
    public synchronized PeerSettings create(PeersFile.Peer peer) {
        PeerSettings settings = PeersFile.settings(peer, fixed.local().asn());
        Source before = sources.get(settings.name());
        if (before == Source.GRPC && kept.peers().contains(peer)) {
            return settings;
        }
        if (before != null) {
            throw new ServiceException(
                    ErrorReason.ALREADY_EXISTS,
                    "a BGP peer " + settings.name() + " is there, declared by " + words(before)
                            + "; delete it first or take another name");
        }
        List<PeersFile.Peer> next = new ArrayList<>(kept.peers());
        next.add(peer);
        List<PeerSettings> with = new ArrayList<>(created);
        with.add(settings);
        keep(new StateFile.State(next, kept.leavingNodes()), with);
        return settings;
    }

    /**
     * Forgets a peer that a caller created. That there is none is success.
     *
     * @throws ServiceException FAILED_PRECONDITION when it was declared elsewhere
     */
    public synchronized void delete(String name) {
        Source source = sources.get(name);
        if (source == null) {
            return;
        }
        if (source != Source.GRPC) {
            throw new ServiceException(
                    ErrorReason.FAILED_PRECONDITION,
                    "BGP peer " + name + " is declared by " + words(source) + "; remove it there");
        }
        List<PeersFile.Peer> next = new ArrayList<>();
        List<PeerSettings> left = new ArrayList<>();
        for (int i = 0; i < created.size(); i++) {
            if (!created.get(i).name().equals(name)) {
                next.add(kept.peers().get(i));
                left.add(created.get(i));
            }
        }
        keep(new StateFile.State(next, kept.leavingNodes()), left);
    }

    /** Says whether a node is about to go, whatever Kubernetes says of it, and keeps that. */
    public synchronized void setLeaving(NodeName node, boolean leaves) {
        Set<String> next = new HashSet<>(kept.leavingNodes());
        boolean changed = leaves ? next.add(node.value()) : next.remove(node.value());
        if (changed) {
            keep(new StateFile.State(kept.peers(), next.stream().sorted().toList()), created);
        }
    }

    /** Who declared a peer; empty when there is none of this name. */
    public synchronized Optional<Source> source(String name) {
        return Optional.ofNullable(sources.get(name));
    }

    /** Nodes that leave, by anybody's word, in order. */
    public synchronized List<NodeName> leaving() {
        Set<NodeName> all = new HashSet<>(cordoned);
        kept.leavingNodes().forEach(node -> all.add(new NodeName(node)));
        return all.stream().sorted().toList();
    }

    /**
     * What Kubernetes has now.
     *
     * @param declared peers by their objects' names
     * @param cordonedNodes nodes that take no new pods
     */
    public synchronized void kubernetes(SortedMap<String, PeersFile.Peer> declared, Set<NodeName> cordonedNodes) {
        if (!declared.equals(ofKubernetes) || !cordonedNodes.equals(cordoned)) {
            ofKubernetes = new TreeMap<>(declared);
            cordoned = Set.copyOf(cordonedNodes);
            tell();
        }
    }

    private void keep(StateFile.State next, List<PeerSettings> settings) {
        StateFile keeper = file.orElseThrow(() -> new ServiceException(
                ErrorReason.FAILED_PRECONDITION,
                "nothing would be left of it after a restart: start the route reflector with --bgp-state-file"));
        // What cannot be is refused before it is written.
        var _ = fixed.with(settings);
        keeper.write(next);
        kept = next;
        created = List.copyOf(settings);
        tell();
    }

    private List<PeerSettings> settings(StateFile.State state) {
        List<PeerSettings> settings = state.peers().stream()
                .map(peer -> PeersFile.settings(peer, fixed.local().asn()))
                .toList();
        var _ = fixed.with(settings);
        return settings;
    }

    private void tell() {
        Map<String, Source> next = new LinkedHashMap<>();
        fixed.peers().forEach(peer -> next.put(peer.name(), Source.OPTIONS));
        List<PeerSettings> further = new ArrayList<>(created);
        created.forEach(peer -> next.put(peer.name(), Source.GRPC));
        List<String> unfit = new ArrayList<>();
        ofKubernetes.forEach((name, peer) -> {
            try {
                List<PeerSettings> with = new ArrayList<>(further);
                with.add(PeersFile.settings(peer, fixed.local().asn()));
                var _ = fixed.with(with);
                further.add(with.getLast());
                next.put(with.getLast().name(), Source.KUBERNETES);
            } catch (IllegalArgumentException e) {
                unfit.add(name + ": " + e.getMessage());
            }
        });
        String text = String.join("; ", unfit);
        if (!text.equals(refused) && !text.isEmpty()) {
            log.warn("BGPPeers that cannot be, and are left out: {}", text);
        }
        refused = text;
        sources = Map.copyOf(next);
        peers.accept(List.copyOf(further));
        leaving.accept(Set.copyOf(leaving()));
    }

    private static String words(Source source) {
        return switch (source) {
            case OPTIONS -> "the options or the peers' file";
            case GRPC -> "a call";
            case KUBERNETES -> "a BGPPeer in Kubernetes";
        };
    }
}
