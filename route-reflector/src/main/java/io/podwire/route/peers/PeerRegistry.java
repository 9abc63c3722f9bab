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

    private List<Created> created;
    private List<String> leavingNodes;
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
     * A peer that a caller created.
     *
     * @param settings with the key that was read when it was declared; empty: it cannot be, and is kept for whoever
     *     mends that
     */
    private record Created(PeersFile.Peer peer, Optional<PeerSettings> settings) {
        String name() {
            return settings.map(PeerSettings::name).orElseGet(() -> peer.name() != null ? peer.name() : peer.address());
        }
    }

    /**
     * Reads what is kept, and tells the speaker. A kept peer that cannot be any more, for the file with its key is gone,
     * say, is left out, and the log says so: the others, and all nodes, go on.
     *
     * @param fixed the settings of the start, with the peers of options and of the peers' file
     * @param file where what callers declare is kept; empty: they cannot declare anything
     * @param peers takes the further peers
     * @param leaving takes the nodes that leave
     * @throws IllegalArgumentException when the file is damaged
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
        StateFile.State kept = file.map(StateFile::read).orElse(StateFile.State.NONE);
        this.created = readAgain(kept.peers());
        this.leavingNodes = kept.leavingNodes();
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
        Optional<Created> same =
                created.stream().filter(one -> one.peer().equals(peer)).findFirst();
        if (same.flatMap(Created::settings).isPresent()) {
            return same.get().settings().get();
        }
        Source before = sources.get(settings.name());
        if (before != null && same.isEmpty()) {
            throw new ServiceException(
                    ErrorReason.ALREADY_EXISTS,
                    "a BGP peer " + settings.name() + " is there, declared by " + words(before)
                            + "; delete it first or take another name");
        }
        List<Created> next = new ArrayList<>(without(settings.name()));
        next.add(new Created(peer, Optional.of(settings)));
        keep(next, leavingNodes);
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
        keep(without(name), leavingNodes);
    }

    private List<Created> without(String name) {
        return created.stream().filter(one -> !one.name().equals(name)).toList();
    }

    /** Says whether a node is about to go, whatever Kubernetes says of it, and keeps that. */
    public synchronized void setLeaving(NodeName node, boolean leaves) {
        Set<String> next = new HashSet<>(leavingNodes);
        boolean changed = leaves ? next.add(node.value()) : next.remove(node.value());
        if (changed) {
            keep(created, next.stream().sorted().toList());
        }
    }

    /** Who declared a peer; empty when there is none of this name. */
    public synchronized Optional<Source> source(String name) {
        return Optional.ofNullable(sources.get(name));
    }

    /** Nodes that leave, by anybody's word, in order. */
    public synchronized List<NodeName> leaving() {
        Set<NodeName> all = new HashSet<>(cordoned);
        leavingNodes.forEach(node -> all.add(new NodeName(node)));
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

    private void keep(List<Created> peersThen, List<String> leavingThen) {
        StateFile keeper = file.orElseThrow(() -> new ServiceException(
                ErrorReason.FAILED_PRECONDITION,
                "nothing would be left of it after a restart: start the route reflector with --bgp-state-file"));
        // What cannot be is refused before it is written.
        var _ = fixed.with(settings(peersThen));
        keeper.write(new StateFile.State(peersThen.stream().map(Created::peer).toList(), leavingThen));
        created = List.copyOf(peersThen);
        leavingNodes = List.copyOf(leavingThen);
        tell();
    }

    private static List<PeerSettings> settings(List<Created> peers) {
        return peers.stream().flatMap(one -> one.settings().stream()).toList();
    }

    private List<Created> readAgain(List<PeersFile.Peer> kept) {
        List<Created> read = new ArrayList<>();
        for (PeersFile.Peer peer : kept) {
            try {
                List<Created> with = new ArrayList<>(read);
                with.add(new Created(
                        peer, Optional.of(PeersFile.settings(peer, fixed.local().asn()))));
                var _ = fixed.with(settings(with));
                read = with;
            } catch (IllegalArgumentException e) {
                Created unfit = new Created(peer, Optional.empty());
                log.error(
                        "BGP peer {} of the state file is left out: {}; mend that and create it again, or delete it",
                        unfit.name(),
                        e.getMessage());
                read.add(unfit);
            }
        }
        return read;
    }

    private void tell() {
        Map<String, Source> next = new LinkedHashMap<>();
        fixed.peers().forEach(peer -> next.put(peer.name(), Source.OPTIONS));
        List<PeerSettings> further = new ArrayList<>(settings(created));
        created.forEach(one -> next.putIfAbsent(one.name(), Source.GRPC));
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
