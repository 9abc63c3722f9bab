package io.podwire.route.reflect;

import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpPrefix;
import io.podwire.route.rib.NodeEpoch;
import io.podwire.route.rib.NodeRoute;
import io.podwire.route.rib.Refusal;
import io.podwire.route.rib.ServiceAddresses;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * One stream of a node, as the reflector sees it. Its functions are called, and its state changes, on the
 * reflector's loop alone.
 */
public final class Peer {
    final BooleanSupplier writable;
    final Consumer<ReaderUpdate> send;
    final Consumer<ServiceException> fail;
    final Runnable complete;

    private NodeEpoch epoch;
    private Subscription subscription;
    private boolean ended;
    private NodeRoute asked;
    private ServiceAddresses askedServices = new ServiceAddresses.Unknown();
    private NodeEpoch asking;
    private boolean questioned;
    private Set<IpPrefix> questions = Set.of();
    private Set<IpPrefix> answered = Set.of();
    private List<Refusal> refusals = List.of();

    /**
     * A stream that has said nothing yet.
     *
     * @param writable false while earlier messages wait to be read
     * @param send sends one message
     * @param fail ends the stream with an error
     * @param complete ends the stream well
     */
    public Peer(
            BooleanSupplier writable, Consumer<ReaderUpdate> send, Consumer<ServiceException> fail, Runnable complete) {
        this.writable = writable;
        this.send = send;
        this.fail = fail;
        this.complete = complete;
    }

    /** Whose stream it is: empty before its first accepted announcement. */
    Optional<NodeEpoch> epoch() {
        return Optional.ofNullable(epoch);
    }

    Subscription subscription() {
        return subscription;
    }

    void accepted(NodeEpoch announcing) {
        if (epoch == null) {
            epoch = announcing;
            subscription = new Subscription(announcing.node());
        }
    }

    /** What it announced last, all of which may not be its own. */
    void asks(NodeEpoch by, NodeRoute route, ServiceAddresses services) {
        asking = by;
        asked = route;
        askedServices = services;
        Set<IpPrefix> still = new HashSet<>(answered);
        still.retainAll(Set.copyOf(route.prefixes()));
        answered = Set.copyOf(still);
    }

    /** Who announces: empty before the first announcement. */
    Optional<NodeEpoch> asking() {
        return Optional.ofNullable(asking);
    }

    /** What {@link #asks} was told. */
    NodeRoute asked() {
        return asked;
    }

    /** The same of addresses of Services. */
    ServiceAddresses askedServices() {
        return askedServices;
    }

    /** True while ipam-service is asked about some of it. */
    boolean questioned() {
        return questioned;
    }

    /** Those of these refusals that ipam-service was not asked about since they are announced. */
    List<Refusal> unasked(List<Refusal> those) {
        return those.stream()
                .filter(refusal -> !answered.contains(refusal.prefix()))
                .toList();
    }

    /** ipam-service is asked about these. */
    void question(List<Refusal> about) {
        questioned = true;
        questions = about.stream().map(Refusal::prefix).collect(Collectors.toSet());
    }

    /**
     * Ends that.
     *
     * @param answer false when there is none
     */
    void endQuestion(boolean answer) {
        if (answer) {
            Set<IpPrefix> all = new HashSet<>(answered);
            all.addAll(questions);
            answered = Set.copyOf(all);
        }
        questioned = false;
    }

    /** Which of its prefixes are not taken, as it was told. */
    List<Refusal> refusals() {
        return refusals;
    }

    void refused(List<Refusal> now) {
        refusals = List.copyOf(now);
        subscription.refused(now);
    }

    /** Marks the end; false when it had ended. */
    boolean end() {
        boolean first = !ended;
        ended = true;
        return first;
    }

    boolean ended() {
        return ended;
    }
}
