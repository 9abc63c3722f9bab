package io.podwire.node.dataplane;

import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netlink.TrafficControl;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.LinkKind;
import io.podwire.node.netlink.rt.NewLink;
import io.podwire.node.netlink.rt.NewLinkKind;
import io.podwire.node.netlink.rt.Qdisc;
import io.podwire.node.netlink.rt.QdiscKind;
import io.podwire.node.netlink.rt.Redirect;
import io.podwire.node.netlink.rt.TokenBucket;
import io.podwire.node.plan.RateLimit;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How fast pods' packets go. To the pod: a token bucket at the root of the host's end of its veth. From the pod: what
 * comes in there is led through an ifb of its own, which has the bucket, since the kernel queues only what leaves a
 * device. Bucket and redirection end with the veth; the ifb does not, and carries the attachment's alias.
 *
 * <p>Safe for several threads: each call touches the objects of one pod only.
 */
public final class PodShaping {
    private static final Logger log = LoggerFactory.getLogger(PodShaping.class);
    /** How long a packet waits at most before it is dropped, over and above the burst: as the official plugin has it. */
    private static final Duration LATENCY = Duration.ofMillis(25);

    private static final int BITS = 8;
    private static final int ETHERNET_HEADER = 14;
    private static final long U32 = (1L << 32) - 1;

    private final RtnetlinkPool sockets;

    /** Shapes in the namespace that the sockets belong to. */
    public PodShaping(RtnetlinkPool sockets) {
        this.sockets = sockets;
    }

    /**
     * The kernel's bucket for a limit.
     *
     * @param mtu of what passes, in bytes: a longer packet would never leave
     */
    static TokenBucket bucket(RateLimit limit, int mtu) {
        long rate = Math.max(1, limit.bitsPerSecond() / BITS);
        long burst = Math.clamp(limit.burstBytes(), (long) mtu + ETHERNET_HEADER, U32);
        return TokenBucket.withLatency(rate, burst, LATENCY);
    }

    /**
     * Makes an attachment's limits what it asks for, with its MTU; what is right already stays.
     *
     * @throws io.podwire.node.netlink.NetlinkException when the kernel refuses a step; what was done before stays, for
     *     {@link #remove}
     */
    public void apply(Attachment a) {
        if (!isShaped(a)) {
            return;
        }
        sockets.run(host -> {
            TrafficControl traffic = host.trafficControl();
            int veth = host.link(a.hostIfname()).orElseThrow().index();
            a.request().shaping().ingress().ifPresent(limit -> traffic.shape(veth, bucket(limit, a.mtu())));
            a.request().shaping().egress().ifPresent(limit -> {
                int ifb = ensureIfb(host, a);
                traffic.shape(ifb, bucket(limit, a.mtu()));
                traffic.replaceRedirect(new Redirect(veth, ifb));
            });
        });
    }

    private static boolean isShaped(Attachment a) {
        return a.request().shaping().ingress().isPresent()
                || a.request().shaping().egress().isPresent();
    }

    private static int ensureIfb(Rtnetlink host, Attachment a) {
        String name = PodNames.ifbName(a.key());
        Optional<Link> found = host.link(name).filter(link -> isOurs(link, a));
        int index = found.map(Link::index)
                .orElseGet(() -> host.addLink(new NewLink(
                        name,
                        new NewLinkKind.Ifb(),
                        Optional.empty(),
                        OptionalInt.of(a.mtu()),
                        OptionalInt.empty(),
                        false,
                        Optional.of(PodNames.alias(a.key())))));
        if (found.isEmpty() || !found.get().up()) {
            // It has no addresses, and sends nothing of its own.
            host.disableIpv6LinkLocal(index);
            host.setUp(index);
        }
        return index;
    }

    private static boolean isOurs(Link link, Attachment a) {
        // One whose ADD ended before its alias was set has none; its name is a 65-bit hash.
        return link.kind() instanceof LinkKind.Ifb
                && (link.alias().isEmpty() || link.alias().equals(PodNames.alias(a.key())));
    }

    /** Removes an attachment's ifb where it has one; what is at its veth goes with that. */
    public void remove(Attachment a) {
        if (a.request().shaping().egress().isEmpty()) {
            return;
        }
        sockets.call(host -> host.link(PodNames.ifbName(a.key()))).ifPresent(link -> {
            if (isOurs(link, a)) {
                sockets.run(host -> host.deleteLink(link.index()));
            } else {
                log.error("link {} belongs to somebody else (alias '{}'): it is left alone", link.name(), link.alias());
            }
        });
    }

    /** Differences between what an attachment asks for and the kernel. */
    public List<Finding> check(Attachment a) {
        return isShaped(a) ? sockets.call(host -> check(host, a)) : List.of();
    }

    private static List<Finding> check(Rtnetlink host, Attachment a) {
        List<Finding> findings = new ArrayList<>();
        Optional<Link> veth = host.link(a.hostIfname());
        if (veth.isEmpty()) {
            // That is the wiring's finding.
            return findings;
        }
        TrafficControl traffic = host.trafficControl();
        a.request().shaping().ingress().ifPresent(limit -> checkBucket(traffic, veth.get(), limit, a, findings));
        a.request().shaping().egress().ifPresent(limit -> {
            String name = PodNames.ifbName(a.key());
            Optional<Link> ifb = host.link(name).filter(link -> isOurs(link, a));
            if (ifb.isEmpty()) {
                findings.add(new Finding("link", name, "the ifb that limits what " + a.key() + " sends is gone"));
                return;
            }
            if (!ifb.get().up()) {
                findings.add(new Finding("link", name, "the ifb that limits what " + a.key() + " sends is down"));
            }
            checkBucket(traffic, ifb.get(), limit, a, findings);
            List<Redirect> redirects = traffic.redirects(veth.get().index());
            if (!redirects.equals(
                    List.of(new Redirect(veth.get().index(), ifb.get().index())))) {
                findings.add(new Finding("filter", a.hostIfname(), "does not lead what comes in through " + name));
            }
        });
        return findings;
    }

    private static void checkBucket(
            TrafficControl traffic, Link link, RateLimit limit, Attachment a, List<Finding> findings) {
        boolean there = traffic.qdiscs(link.index()).stream()
                .map(Qdisc::kind)
                .anyMatch(kind -> kind instanceof QdiscKind.TokenBucketQueue told
                        && bucket(limit, a.mtu()).matches(told));
        if (!there) {
            findings.add(new Finding(
                    "qdisc",
                    link.name(),
                    "has no token bucket of " + limit.bitsPerSecond() + " bit/s for " + a.key() + " at its root"));
        }
    }

    /**
     * Differences between all attachments and the ifbs of this node: what is missing, and what nobody owns.
     *
     * @param attachments those that are done; ifbs of others count as left over
     */
    public List<Finding> audit(List<Attachment> attachments) {
        List<Finding> findings = new ArrayList<>();
        attachments.forEach(a -> findings.addAll(check(a)));
        Set<String> wanted = attachments.stream()
                .filter(a -> a.request().shaping().egress().isPresent())
                .map(a -> PodNames.ifbName(a.key()))
                .collect(Collectors.toSet());
        sockets.call(Rtnetlink::links).stream()
                .filter(link -> PodNames.isPodIfb(link) && !wanted.contains(link.name()))
                .forEach(link -> findings.add(new Finding("link", link.name(), "is an ifb of no attachment")));
        return findings;
    }
}
