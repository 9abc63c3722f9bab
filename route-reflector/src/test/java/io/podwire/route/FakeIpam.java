package io.podwire.route;

import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.ipam.v1.Address;
import io.podwire.proto.ipam.v1.AddressState;
import io.podwire.proto.ipam.v1.AddressesGrpc;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ListAddressesRequest;
import io.podwire.proto.ipam.v1.ListAddressesResponse;
import io.podwire.proto.ipam.v1.ListBlocksRequest;
import io.podwire.proto.ipam.v1.ListBlocksResponse;
import io.podwire.proto.ipam.v1.ListPoolsRequest;
import io.podwire.proto.ipam.v1.ListPoolsResponse;
import io.podwire.proto.ipam.v1.Pool;
import io.podwire.proto.ipam.v1.PoolPurpose;
import io.podwire.proto.ipam.v1.PoolState;
import io.podwire.proto.ipam.v1.PoolsGrpc;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** ipam-service as route-reflector sees it: it answers a block, or a single address, a page, and can go away and return. */
final class FakeIpam implements AutoCloseable {
    private static final String SERVICE = "podwire-ipam-service";

    private final Map<String, NodeEpoch> blocks = new ConcurrentSkipListMap<>();
    private final Map<String, String> singles = new ConcurrentSkipListMap<>();
    private final Map<String, NodeEpoch> newest = new ConcurrentSkipListMap<>();
    private final Map<String, Pool> pools = new ConcurrentSkipListMap<>();
    private final AtomicInteger lists = new AtomicInteger();
    private Server server;
    private int port;

    FakeIpam() throws IOException {
        block("10.254.0.0/26", SERVICE, "service", 1);
        start();
    }

    String target() {
        return "127.0.0.1:" + port;
    }

    /** Readings of the blocks of all nodes, begun. */
    int lists() {
        return lists.get();
    }

    void start() throws IOException {
        server = NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
                .addService(new Blocks())
                .addService(new Addresses())
                .addService(new Pools())
                .build()
                .start();
        port = server.getPort();
    }

    void stop() throws InterruptedException {
        server.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
    }

    /** A node owns a block, in the life of this number. */
    void block(String cidr, String node, String uid, long counter) {
        blocks.put(cidr, life(node, uid, "boot-" + counter, counter));
        newest(life(node, uid, "boot-" + counter, counter));
    }

    void free(String cidr) {
        blocks.remove(cidr);
    }

    void newest(NodeEpoch epoch) {
        newest.put(epoch.getNode() + "/" + epoch.getNodeUid(), epoch);
    }

    static NodeEpoch life(String node, String uid, String boot, long counter) {
        return NodeEpoch.newBuilder()
                .setNode(node)
                .setNodeUid(uid)
                .setBootId(boot)
                .setCounter(counter)
                .build();
    }

    void single(String address, String node) {
        singles.put(address, node);
    }

    void release(String address) {
        singles.remove(address);
    }

    /** There is a pool. */
    void pool(String name, String cidr, PoolPurpose purpose, PoolState state) {
        pools.put(
                name,
                Pool.newBuilder()
                        .setName(name)
                        .setCidr(cidr)
                        .setPurpose(purpose)
                        .setState(state)
                        .build());
    }

    void dropPool(String name) {
        pools.remove(name);
    }

    private final class Pools extends PoolsGrpc.PoolsImplBase {
        @Override
        public void listPools(ListPoolsRequest request, StreamObserver<ListPoolsResponse> answer) {
            List<Pool> rest = pools.entrySet().stream()
                    .filter(pool -> pool.getKey().compareTo(request.getPageToken()) > 0)
                    .map(Map.Entry::getValue)
                    .toList();
            ListPoolsResponse.Builder response = ListPoolsResponse.newBuilder();
            rest.stream().findFirst().ifPresent(response::addPools);
            if (rest.size() > 1) {
                response.setNextPageToken(rest.getFirst().getName());
            }
            answer.onNext(response.build());
            answer.onCompleted();
        }
    }

    private final class Blocks extends BlocksGrpc.BlocksImplBase {
        @Override
        public void listBlocks(ListBlocksRequest request, StreamObserver<ListBlocksResponse> answer) {
            boolean first = request.getPageToken().isEmpty();
            if (first && request.getNode().isEmpty()) {
                lists.incrementAndGet();
            }
            ListBlocksResponse.Builder response = ListBlocksResponse.newBuilder();
            List<Map.Entry<String, NodeEpoch>> rest = blocks.entrySet().stream()
                    .filter(block -> request.getNode().isEmpty()
                            || block.getValue().getNode().equals(request.getNode()))
                    .filter(block -> block.getKey().compareTo(request.getPageToken()) > 0)
                    .toList();
            if (!rest.isEmpty()) {
                response.addBlocks(Block.newBuilder()
                        .setCidr(rest.getFirst().getKey())
                        .setOwner(rest.getFirst().getValue()));
            }
            if (rest.size() > 1) {
                response.setNextPageToken(rest.getFirst().getKey());
            }
            if (first && request.getInstallations()) {
                newest.values().stream()
                        .filter(epoch ->
                                request.getNode().isEmpty() || epoch.getNode().equals(request.getNode()))
                        .forEach(response::addInstallations);
            }
            answer.onNext(response.build());
            answer.onCompleted();
        }
    }

    private final class Addresses extends AddressesGrpc.AddressesImplBase {
        @Override
        public void listAddresses(ListAddressesRequest request, StreamObserver<ListAddressesResponse> answer) {
            if (!request.getNode().equals(SERVICE)
                    || !request.getStatesList().equals(List.of(AddressState.ADDRESS_STATE_IN_USE))) {
                throw new AssertionError("what nodes report is no word of ipam-service: " + request);
            }
            List<Map.Entry<String, String>> rest = singles.entrySet().stream()
                    .filter(single ->
                            request.getAddress().isEmpty() || single.getKey().equals(request.getAddress()))
                    .filter(single -> single.getKey().compareTo(request.getPageToken()) > 0)
                    .toList();
            ListAddressesResponse.Builder response = ListAddressesResponse.newBuilder();
            if (!rest.isEmpty()) {
                Map.Entry<String, String> single = rest.getFirst();
                response.addAddresses(Address.newBuilder()
                        .setAddress(single.getKey())
                        .setNode(single.getValue().isEmpty() ? SERVICE : single.getValue())
                        .setOwnerId("owner-of-" + single.getKey())
                        .setState(AddressState.ADDRESS_STATE_IN_USE));
            }
            if (rest.size() > 1) {
                response.setNextPageToken(rest.getFirst().getKey());
            }
            answer.onNext(response.build());
            answer.onCompleted();
        }
    }

    @Override
    public void close() {
        server.shutdownNow();
    }
}
