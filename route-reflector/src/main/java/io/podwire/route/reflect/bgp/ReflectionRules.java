package io.podwire.route.reflect.bgp;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.route.bgp.message.AsPath;
import io.podwire.route.bgp.message.Community;
import io.podwire.route.bgp.message.PathAttribute;
import io.podwire.route.bgp.message.PathAttributes;
import io.podwire.route.rib.bgp.BgpPath;
import io.podwire.route.rib.bgp.Neighbor;
import io.podwire.route.rib.bgp.Source;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What is taken from neighbours and what is told to them: RFC 4456 for those of our AS, RFC 4271 §5.1 for the
 * others. The next hop stays who it is, the node or the router behind a neighbour: we forward nothing.
 */
public final class ReflectionRules {
    private ReflectionRules() {}

    /** Why a route is not taken. */
    public enum Refusal {
        /** RFC 4271 §9.1.2: our own AS is in its path. */
        AS_LOOP("our own AS is in its AS_PATH"),
        /** RFC 4271 §6.3: another AS's path does not begin with that AS. */
        FIRST_AS("its AS_PATH does not begin with the neighbour's AS"),
        /** RFC 4456 §8. */
        ORIGINATOR_LOOP("its ORIGINATOR_ID is ours"),
        /** RFC 4456 §8. */
        CLUSTER_LOOP("our cluster is in its CLUSTER_LIST"),
        /** The neighbour's import rules do not permit it. */
        NOT_PERMITTED("the import rules do not permit it"),
        /** It lies in a prefix that one of our nodes holds. */
        NODE_PREFIX("it lies inside a prefix of one of our nodes");

        private final String reason;

        Refusal(String reason) {
            this.reason = reason;
        }

        /** In words. */
        public String reason() {
            return reason;
        }
    }

    /** What is told: the prefixes with the same of these go in one message. */
    public record Advertised(IpAddress nextHop, PathAttributes attributes) {}

    /** Whether routes with these attributes are refused, whatever their prefixes. */
    public static Optional<Refusal> refusal(PathAttributes attributes, Neighbor from, LocalRouter local) {
        AsPath path = attributes.asPath();
        if (path.contains(local.asn())) {
            return Optional.of(Refusal.AS_LOOP);
        }
        if (from.kind() == Neighbor.Kind.EXTERNAL && path.first().orElse(0) != from.asn()) {
            return Optional.of(Refusal.FIRST_AS);
        }
        if (attributes.originatorId().filter(local.identifier()::equals).isPresent()) {
            return Optional.of(Refusal.ORIGINATOR_LOOP);
        }
        if (attributes.clusterList().contains(local.clusterId())) {
            return Optional.of(Refusal.CLUSTER_LOOP);
        }
        return Optional.empty();
    }

    /** The attributes as we keep them. */
    public static PathAttributes imported(PathAttributes attributes) {
        // RFC 8326 §4: whoever is about to go is used last.
        return attributes.communities().contains(Community.GRACEFUL_SHUTDOWN)
                ? attributes.with(new PathAttribute.LocalPref(0))
                : attributes;
    }

    /**
     * The attributes of what a node of ours holds.
     *
     * @param leaving no new work comes to the node, and it is to be used last: RFC 8326
     */
    public static PathAttributes ofNode(boolean leaving) {
        PathAttributes attributes = PathAttributes.of(
                new PathAttribute.Origin(PathAttribute.OriginKind.IGP), new PathAttribute.Path(AsPath.EMPTY));
        return leaving
                ? imported(attributes.with(new PathAttribute.Communities(List.of(Community.GRACEFUL_SHUTDOWN))))
                : attributes;
    }

    /** What a neighbour is told of a prefix whose path in use is this one; empty: nothing. */
    public static Optional<Advertised> export(
            IpPrefix prefix, BgpPath best, Neighbor to, LocalRouter local, PeerPolicy policy) {
        return permits(prefix, best, to, policy, false) ? advertised(best, to, local, policy) : Optional.empty();
    }

    /** What is told of every prefix that has this path in use and is permitted. */
    public static Optional<Advertised> advertised(BgpPath best, Neighbor to, LocalRouter local, PeerPolicy policy) {
        if (!mayTell(best, to)) {
            return Optional.empty();
        }
        PathAttributes attributes = best.attributes();
        if (attributes.communities().contains(Community.NO_ADVERTISE)) {
            return Optional.empty();
        }
        boolean leavesAs = !to.kind().internal();
        if (leavesAs
                && (attributes.communities().contains(Community.NO_EXPORT)
                        || attributes.communities().contains(Community.NO_EXPORT_SUBCONFED))) {
            return Optional.empty();
        }
        if (best.source() instanceof Source.Node) {
            attributes = marked(attributes, policy);
        }
        return Optional.of(new Advertised(
                best.nextHop(), leavesAs ? external(attributes, best, local) : internal(attributes, best, local)));
    }

    /** RFC 4456 §6. */
    private static boolean mayTell(BgpPath best, Neighbor to) {
        return switch (best.source()) {
            case Source.Node _ -> true;
            case Source.Learned(Neighbor from) -> {
                if (from.address().equals(to.address())) {
                    yield false;
                }
                yield switch (from.kind()) {
                    case EXTERNAL, CLIENT -> true;
                    case NON_CLIENT -> to.kind() != Neighbor.Kind.NON_CLIENT;
                };
            }
        };
    }

    /**
     * Whether the neighbour's rules let it be told.
     *
     * @param replaced an aggregate is told in its place, where no rule says otherwise
     */
    public static boolean permits(IpPrefix prefix, BgpPath best, Neighbor to, PeerPolicy policy, boolean replaced) {
        return switch (policy.export()) {
            case PeerPolicy.Export.Reflected() ->
                best.source() instanceof Source.Node ? !replaced : to.kind().internal();
            case PeerPolicy.Export.Listed(PrefixList rules) -> rules.permits(prefix);
        };
    }

    private static PathAttributes marked(PathAttributes attributes, PeerPolicy policy) {
        PathAttributes out = attributes;
        if (!policy.communities().isEmpty()) {
            List<Community> all = new ArrayList<>(attributes.communities());
            all.addAll(policy.communities());
            out = out.with(new PathAttribute.Communities(all));
        }
        if (!policy.largeCommunities().isEmpty()) {
            out = out.with(new PathAttribute.LargeCommunities(policy.largeCommunities()));
        }
        return out;
    }

    private static PathAttributes internal(PathAttributes attributes, BgpPath best, LocalRouter local) {
        PathAttributes out = attributes.with(new PathAttribute.LocalPref(attributes.localPref()));
        if (!(best.source() instanceof Source.Learned(Neighbor from))
                || !from.kind().internal()) {
            return out;
        }
        // RFC 4456 §8.
        if (out.originatorId().isEmpty()) {
            out = out.with(new PathAttribute.OriginatorId(from.identifier()));
        }
        List<IpAddress> clusters = new ArrayList<>(out.clusterList());
        clusters.addFirst(local.clusterId());
        return out.with(new PathAttribute.ClusterList(clusters));
    }

    private static PathAttributes external(PathAttributes attributes, BgpPath best, LocalRouter local) {
        PathAttributes out = attributes
                .without(
                        PathAttribute.LocalPref.class,
                        PathAttribute.OriginatorId.class,
                        PathAttribute.ClusterList.class)
                .with(new PathAttribute.Path(attributes.asPath().prepend(local.asn())));
        // RFC 4271 §5.1.4: a metric that another AS set goes no further.
        return best.source() instanceof Source.Node ? out : out.without(PathAttribute.Med.class);
    }
}
