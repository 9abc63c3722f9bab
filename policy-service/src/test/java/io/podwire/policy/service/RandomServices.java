package io.podwire.policy.service;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.policy.model.ClusterNode;
import io.podwire.policy.model.EndpointSlice;
import io.podwire.policy.model.EndpointSlice.Backend;
import io.podwire.policy.model.EndpointSlice.Conditions;
import io.podwire.policy.model.EndpointSlice.Hints;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.model.Service;
import io.podwire.policy.model.ServiceKey;
import io.podwire.policy.model.SliceKey;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/** Changes of a few Services, whose slices overlap and move, and of a few nodes. */
public final class RandomServices {
    /** Names of nodes, the last of which has no object ever. */
    public static final List<String> NODES = List.of("node-a", "node-b", "node-c", "node-d");

    private static final List<String> ZONES = List.of("zone-a", "zone-b");
    private static final List<String> PORTS = List.of("http", "dns", "");

    private final RandomGenerator random;

    /** A source of changes. */
    public RandomServices(RandomGenerator random) {
        this.random = random;
    }

    /** Some changes. */
    public ClusterDelta delta() {
        return new ClusterDelta(IntStream.range(0, 1 + random.nextInt(4))
                .mapToObj(_ -> change())
                .toList());
    }

    private Change change() {
        return switch (random.nextInt(12)) {
            case 0, 1, 2 -> new Change.ServiceSet(service());
            case 3 -> new Change.ServiceGone(key());
            case 4 -> new Change.SliceGone(sliceKey());
            case 5 ->
                new Change.ClusterNodeSet(new ClusterNode(
                        NODES.get(random.nextInt(3)),
                        random.nextInt(4) == 0 ? Map.of() : Map.of(Place.ZONE_LABEL, one(ZONES)),
                        Set.of()));
            case 6 -> new Change.ClusterNodeGone(NODES.get(random.nextInt(3)));
            default -> new Change.SliceSet(slice());
        };
    }

    private <T> T one(List<T> list) {
        return list.get(random.nextInt(list.size()));
    }

    private ServiceKey key() {
        return new ServiceKey("x", "s" + random.nextInt(6));
    }

    private SliceKey sliceKey() {
        return new SliceKey("x", "slice-" + random.nextInt(10));
    }

    private Service service() {
        ServiceKey key = key();
        List<IpAddress> clusterIps = switch (random.nextInt(3)) {
            case 0 -> List.of(IpAddress.parse("10.96.0.1"));
            case 1 -> List.of(IpAddress.parse("fd00:96::1"));
            default -> List.of(IpAddress.parse("10.96.0.1"), IpAddress.parse("fd00:96::1"));
        };
        int nodePort = random.nextBoolean() ? 30080 : 0;
        return new Service(
                key,
                nodePort == 0 ? Service.Type.CLUSTER_IP : Service.Type.NODE_PORT,
                clusterIps,
                PORTS.subList(0, random.nextInt(4)).stream()
                        .map(name -> new Service.Port(name, Protocol.TCP, 80 + PORTS.indexOf(name), nodePort))
                        .toList(),
                Set.of(),
                Set.of(),
                Service.Sources.ANY,
                0,
                random.nextInt(3) == 0,
                random.nextInt(3) == 0,
                0,
                random.nextInt(6) == 0 ? "headless" : "");
    }

    private EndpointSlice slice() {
        IpFamily family = random.nextBoolean() ? IpFamily.V4 : IpFamily.V6;
        List<Backend> backends = new ArrayList<>();
        boolean hinted = random.nextInt(3) == 0;
        for (int i = random.nextInt(4); i > 0; i--) {
            int n = 1 + random.nextInt(5);
            backends.add(new Backend(
                    IpAddress.parse(family == IpFamily.V4 ? "10.0.0." + n : "fd00::" + n),
                    switch (random.nextInt(4)) {
                        case 0 -> new Conditions(false, false, false);
                        case 1 -> new Conditions(false, true, true);
                        default -> Conditions.READY;
                    },
                    random.nextInt(6) == 0 ? "" : one(NODES),
                    "",
                    hinted ? hints() : Hints.NONE));
        }
        return new EndpointSlice(
                sliceKey(),
                key(),
                family,
                PORTS.subList(0, random.nextInt(4)).stream()
                        .map(name -> new EndpointSlice.Port(name, Protocol.TCP, 8080 + random.nextInt(2)))
                        .toList(),
                backends);
    }

    private Hints hints() {
        return new Hints(Set.of(one(ZONES)), random.nextBoolean() ? Set.of(one(NODES)) : Set.of());
    }
}
