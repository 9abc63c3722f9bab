package io.podwire.route.session;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.route.bgp.codec.BgpEncoder;
import io.podwire.route.bgp.message.BgpMessage.Reach;
import io.podwire.route.bgp.message.SessionFormat;
import io.podwire.route.reflect.bgp.ReflectionRules.Advertised;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What a neighbour was told in this session, and the messages from there to what it is to know. Prefixes with the same
 * attributes share messages. Owned by its session.
 */
final class AdjRibOut {
    /** By prefix, of families with one path for a prefix. */
    private final Map<IpPrefix, Advertised> one = new HashMap<>();

    /** By prefix and path identifier, RFC 7911. */
    private final Map<IpPrefix, Map<Long, Advertised>> several = new HashMap<>();

    private final SessionFormat format;
    private final Set<IpFamily> addPath;

    AdjRibOut(SessionFormat format, Set<IpFamily> addPath) {
        this.format = format;
        this.addPath = addPath.isEmpty() ? EnumSet.noneOf(IpFamily.class) : EnumSet.copyOf(addPath);
    }

    /** True when prefixes of this family are told with several paths. */
    boolean severalPaths(IpFamily family) {
        return addPath.contains(family);
    }

    int size() {
        return one.size() + several.size();
    }

    boolean contains(IpPrefix prefix) {
        return one.containsKey(prefix) || several.containsKey(prefix);
    }

    /** So that all of it is told again. */
    void forget(IpFamily family) {
        one.keySet().removeIf(prefix -> prefix.family() == family);
        several.keySet().removeIf(prefix -> prefix.family() == family);
    }

    Batch batch() {
        return new Batch();
    }

    /** What one message can say at once. */
    private record Key(Advertised what, long path) {}

    private record Gone(IpFamily family, long path) {}

    /** Prefixes that are reached in the same way: they share messages. */
    static final class Group {
        private final Advertised what;
        private final long path;
        private final List<IpPrefix> prefixes = new ArrayList<>();

        private Group(Advertised what, long path) {
            this.what = what;
            this.path = path;
        }
    }

    /** Changes that are written together. */
    final class Batch {
        private final Map<Key, Group> reached = new LinkedHashMap<>();
        private final Map<Gone, List<IpPrefix>> gone = new LinkedHashMap<>();
        private final List<IpPrefix> gone4 = gone(IpFamily.V4, BgpEncoder.NO_PATH);
        private final List<IpPrefix> gone6 = gone(IpFamily.V6, BgpEncoder.NO_PATH);
        private final List<IpPrefix> unfit = new ArrayList<>();

        /** For prefixes that are told one path, this one. */
        Group group(Advertised what) {
            return group(what, BgpEncoder.NO_PATH);
        }

        /** It is reached so, by its only path. */
        void reached(IpPrefix prefix, Group group) {
            Advertised before = one.put(prefix, group.what);
            if (before == null || !before.equals(group.what)) {
                group.prefixes.add(prefix);
            }
        }

        /** It is not reached any more, as far as the neighbour may know. */
        void gone(IpPrefix prefix) {
            if (one.remove(prefix) != null) {
                (prefix.family() == IpFamily.V4 ? gone4 : gone6).add(prefix);
            }
        }

        /** These are its paths, by identifier. */
        void paths(IpPrefix prefix, Map<Long, Advertised> wanted) {
            Map<Long, Advertised> before =
                    wanted.isEmpty() ? several.remove(prefix) : several.put(prefix, Map.copyOf(wanted));
            Map<Long, Advertised> known = before == null ? Map.of() : before;
            known.keySet().stream().filter(path -> !wanted.containsKey(path)).forEach(path -> withdraw(prefix, path));
            wanted.forEach((path, what) -> {
                if (!what.equals(known.get(path))) {
                    group(what, path).prefixes.add(prefix);
                }
            });
        }

        private Group group(Advertised what, long path) {
            return reached.computeIfAbsent(new Key(what, path), key -> new Group(key.what(), key.path()));
        }

        private List<IpPrefix> gone(IpFamily family, long path) {
            return gone.computeIfAbsent(new Gone(family, path), _ -> new ArrayList<>());
        }

        private void withdraw(IpPrefix prefix, long path) {
            gone(prefix.family(), path).add(prefix);
        }

        /** Writes all of it. */
        void write(ByteArrayOutputStream out) {
            for (Group group : reached.values()) {
                if (group.prefixes.isEmpty()) {
                    continue;
                }
                Advertised what = group.what;
                List<byte[]> messages = BgpEncoder.reach(
                        what.attributes(), new Reach(what.nextHop(), group.prefixes), format, group.path);
                messages.forEach(out::writeBytes);
                if (messages.isEmpty()) {
                    unfit.addAll(group.prefixes);
                    // Whoever was told another path before must not go on using it.
                    group.prefixes.forEach(prefix -> drop(prefix, group.path));
                }
            }
            gone.forEach((what, prefixes) ->
                    BgpEncoder.withdraw(what.family(), prefixes, what.path()).forEach(out::writeBytes));
        }

        private void drop(IpPrefix prefix, long path) {
            if (path == BgpEncoder.NO_PATH) {
                gone(prefix);
                return;
            }
            Map<Long, Advertised> left = new HashMap<>(several.getOrDefault(prefix, Map.of()));
            left.remove(path);
            withdraw(prefix, path);
            if (left.isEmpty()) {
                several.remove(prefix);
            } else {
                several.put(prefix, left);
            }
        }

        /** Prefixes whose attributes fit in no message, after {@link #write}. */
        List<IpPrefix> unfit() {
            return Collections.unmodifiableList(unfit);
        }
    }
}
