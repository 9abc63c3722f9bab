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
        this.addPath = addPath;
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
    private record Group(Advertised what, long path) {}

    private record Gone(IpFamily family, long path) {}

    /** Changes that are written together. */
    final class Batch {
        private final Map<Group, List<IpPrefix>> reached = new LinkedHashMap<>();
        private final Map<Gone, List<IpPrefix>> gone = new LinkedHashMap<>();
        private final List<IpPrefix> unfit = new ArrayList<>();
        /** Of the path before: neighbours tell many prefixes with one. */
        private Advertised last;

        private List<IpPrefix> lastPrefixes = List.of();

        /** It is reached so, by its only path. */
        void reached(IpPrefix prefix, Advertised what) {
            Advertised before = one.put(prefix, what);
            if (what.equals(before)) {
                return;
            }
            if (!what.equals(last)) {
                last = what;
                lastPrefixes = prefixes(what, BgpEncoder.NO_PATH);
            }
            lastPrefixes.add(prefix);
        }

        /** It is not reached any more, as far as the neighbour may know. */
        void gone(IpPrefix prefix) {
            if (one.remove(prefix) != null) {
                withdraw(prefix, BgpEncoder.NO_PATH);
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
                    prefixes(what, path).add(prefix);
                }
            });
        }

        private List<IpPrefix> prefixes(Advertised what, long path) {
            return reached.computeIfAbsent(new Group(what, path), _ -> new ArrayList<>());
        }

        private void withdraw(IpPrefix prefix, long path) {
            gone.computeIfAbsent(new Gone(prefix.family(), path), _ -> new ArrayList<>())
                    .add(prefix);
        }

        /** Writes all of it. */
        void write(ByteArrayOutputStream out) {
            reached.forEach((group, prefixes) -> {
                Advertised what = group.what();
                List<byte[]> messages =
                        BgpEncoder.reach(what.attributes(), new Reach(what.nextHop(), prefixes), format, group.path());
                messages.forEach(out::writeBytes);
                if (messages.isEmpty()) {
                    unfit.addAll(prefixes);
                    // Whoever was told another path before must not go on using it.
                    prefixes.forEach(prefix -> drop(prefix, group.path()));
                }
            });
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
