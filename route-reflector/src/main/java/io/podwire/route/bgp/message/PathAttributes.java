package io.podwire.route.bgp.message;

import io.podwire.common.net.IpAddress;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Attributes of a route, its next hop aside.
 *
 * @param list at most one of a type, ordered by type
 */
public record PathAttributes(List<PathAttribute> list) {
    /** None. */
    public static final PathAttributes NONE = new PathAttributes(List.of());

    /** LOCAL_PREF of a route that says nothing of it. */
    public static final long DEFAULT_LOCAL_PREF = 100;

    /** Copies, orders, and checks that no type is there twice. */
    public PathAttributes {
        if (!ordered(list)) {
            list = list.stream()
                    .sorted(Comparator.comparingInt(PathAttribute::type))
                    .toList();
            if (!ordered(list)) {
                throw new IllegalArgumentException("an attribute is there twice: " + list);
            }
        }
        list = List.copyOf(list);
    }

    /** These. */
    public static PathAttributes of(PathAttribute... attributes) {
        return new PathAttributes(List.of(attributes));
    }

    private static boolean ordered(List<PathAttribute> list) {
        for (int i = 1; i < list.size(); i++) {
            if (list.get(i - 1).type() >= list.get(i).type()) {
                return false;
            }
        }
        return true;
    }

    /** Where the route was born; INCOMPLETE where it does not say. */
    public PathAttribute.OriginKind origin() {
        return get(PathAttribute.Origin.class)
                .map(PathAttribute.Origin::kind)
                .orElse(PathAttribute.OriginKind.INCOMPLETE);
    }

    /** The ASes it came through. */
    public AsPath asPath() {
        return get(PathAttribute.Path.class).map(PathAttribute.Path::path).orElse(AsPath.EMPTY);
    }

    /** MULTI_EXIT_DISC. */
    public OptionalLong med() {
        return get(PathAttribute.Med.class)
                .map(med -> OptionalLong.of(med.metric()))
                .orElse(OptionalLong.empty());
    }

    /** LOCAL_PREF, 100 where it does not say. */
    public long localPref() {
        return get(PathAttribute.LocalPref.class)
                .map(PathAttribute.LocalPref::preference)
                .orElse(DEFAULT_LOCAL_PREF);
    }

    /** The communities. */
    public List<Community> communities() {
        return get(PathAttribute.Communities.class)
                .map(PathAttribute.Communities::values)
                .orElse(List.of());
    }

    /** The large communities. */
    public List<LargeCommunity> largeCommunities() {
        return get(PathAttribute.LargeCommunities.class)
                .map(PathAttribute.LargeCommunities::values)
                .orElse(List.of());
    }

    /** The router that brought it into the AS, where it was reflected. */
    public Optional<IpAddress> originatorId() {
        return get(PathAttribute.OriginatorId.class).map(PathAttribute.OriginatorId::router);
    }

    /** The clusters it was reflected by. */
    public List<IpAddress> clusterList() {
        return get(PathAttribute.ClusterList.class)
                .map(PathAttribute.ClusterList::clusters)
                .orElse(List.of());
    }

    /** These with one set, in place of the one of its type. */
    public PathAttributes with(PathAttribute attribute) {
        List<PathAttribute> next = new ArrayList<>(list.size() + 1);
        boolean placed = false;
        for (PathAttribute old : list) {
            if (!placed && old.type() >= attribute.type()) {
                next.add(attribute);
                placed = true;
            }
            if (old.type() != attribute.type()) {
                next.add(old);
            }
        }
        if (!placed) {
            next.add(attribute);
        }
        return new PathAttributes(next);
    }

    /** These without the ones of a class. */
    @SafeVarargs
    public final PathAttributes without(Class<? extends PathAttribute>... kinds) {
        List<PathAttribute> next = new ArrayList<>(list);
        for (Class<? extends PathAttribute> kind : kinds) {
            next.removeIf(kind::isInstance);
        }
        return next.size() == list.size() ? this : new PathAttributes(next);
    }

    private <T extends PathAttribute> Optional<T> get(Class<T> kind) {
        for (PathAttribute attribute : list) {
            if (kind.isInstance(attribute)) {
                return Optional.of(kind.cast(attribute));
            }
        }
        return Optional.empty();
    }
}
