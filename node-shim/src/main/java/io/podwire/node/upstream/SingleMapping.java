package io.podwire.node.upstream;

import com.google.common.hash.Hashing;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.PodName;
import io.podwire.node.plan.Replica;
import io.podwire.node.plan.SingleWish;
import io.podwire.node.plan.SingleWish.What;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.ipam.v1.Address;
import io.podwire.proto.ipam.v1.AddressOwner;
import io.podwire.proto.ipam.v1.AddressWish;
import io.podwire.proto.ipam.v1.AllocateAddressesRequest;
import io.podwire.proto.ipam.v1.ReserveAddressesRequest;
import io.podwire.proto.ipam.v1.Workload;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Pattern;

/** Between addresses.proto and node-shim's own values of single addresses. */
final class SingleMapping {
    private static final Pattern OWNER = Pattern.compile("[A-Za-z0-9._:/@-]{1,253}");
    private static final Pattern NAME = Pattern.compile("[-a-z0-9.]{0,253}");

    private SingleMapping() {}

    /**
     * The owner's id of one ADD: NODE/CONTAINER/IFNAME/NETWORK@ADD, or a digest of that where it has other characters
     * than such an id may have. The ADD's own part is what keeps a release that comes late from the next ADD's addresses.
     */
    static String ownerId(NodeName node, EndpointKey key, String network, String add) {
        String id = node + "/" + key + "/" + network + "@" + add;
        return OWNER.matcher(id).matches() ? id : "sha256:" + Hashing.sha256().hashString(id, StandardCharsets.UTF_8);
    }

    /** What asks for all that is wished for. */
    static AllocateAddressesRequest allocate(String ownerId, NodeName node, SingleWish wish) {
        AllocateAddressesRequest.Builder request =
                AllocateAddressesRequest.newBuilder().setOwner(owner(ownerId, node, wish.pod()));
        switch (wish.what()) {
            case What.These(List<IpAddress> addresses) ->
                addresses.forEach(address -> request.addWishesBuilder()
                        .setAddress(address.toString())
                        .setPool(wish.pool()));
            case What.ReservedFor reserved ->
                request.setWorkload(workload(reserved.replica())).addAllWishes(families(wish, reserved));
        }
        return request.build();
    }

    /** What reserves the addresses of a replica. */
    static ReserveAddressesRequest reserve(SingleWish wish, What.ReservedFor reserved) {
        return ReserveAddressesRequest.newBuilder()
                .setFirst(workload(reserved.replica()))
                .setCount(1)
                .addAllWishes(families(wish, reserved))
                .build();
    }

    private static List<AddressWish> families(SingleWish wish, What.ReservedFor reserved) {
        return reserved.families().stream()
                .map(family -> AddressWish.newBuilder()
                        .setFamily(StreamMapping.family(family))
                        .setPool(wish.pool())
                        .build())
                .toList();
    }

    private static Workload workload(Replica replica) {
        return Workload.newBuilder()
                .setNamespace(replica.namespace())
                .setName(replica.workload())
                .setOrdinal(replica.ordinal())
                .build();
    }

    /** A bare sandbox may be called anything: what is no name of Kubernetes is left out. */
    private static AddressOwner owner(String ownerId, NodeName node, PodName pod) {
        AddressOwner.Builder owner = AddressOwner.newBuilder().setId(ownerId).setNode(node.value());
        if (NAME.matcher(pod.namespace()).matches() && NAME.matcher(pod.name()).matches()) {
            owner.setPod(PodRef.newBuilder().setNamespace(pod.namespace()).setName(pod.name()));
        }
        return owner.build();
    }

    /**
     * What was given.
     *
     * @throws IllegalArgumentException when it is not what was wished for
     */
    static List<IpAddress> given(SingleWish wish, List<Address> messages) {
        List<IpAddress> given = messages.stream()
                .map(message -> IpAddress.parse(message.getAddress()))
                .sorted()
                .toList();
        boolean asWished = switch (wish.what()) {
            case What.These(List<IpAddress> addresses) ->
                given.equals(addresses.stream().sorted().toList());
            case What.ReservedFor reserved ->
                given.stream().map(IpAddress::family).toList().equals(List.copyOf(reserved.families()));
        };
        if (!asWished) {
            throw new IllegalArgumentException("it gave " + given + " for " + wish.what());
        }
        return given;
    }
}
