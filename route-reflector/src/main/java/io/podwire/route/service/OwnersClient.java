package io.podwire.route.service;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.loop.Backoff;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.proto.ipam.v1.Address;
import io.podwire.proto.ipam.v1.AddressState;
import io.podwire.proto.ipam.v1.AddressesGrpc;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ListAddressesRequest;
import io.podwire.proto.ipam.v1.ListAddressesResponse;
import io.podwire.proto.ipam.v1.ListBlocksRequest;
import io.podwire.proto.ipam.v1.ListBlocksResponse;
import io.podwire.proto.ipam.v1.ListPoolsRequest;
import io.podwire.proto.ipam.v1.ListPoolsResponse;
import io.podwire.proto.ipam.v1.PoolsGrpc;
import io.podwire.route.reflect.Owned;
import io.podwire.route.reflect.Question;
import io.podwire.route.reflect.Reflector;
import io.podwire.route.rib.NodeEpoch;
import io.podwire.route.rib.OwnedBlock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/**
 * Asks ipam-service who owns what: all of it now and then, and of one node when that announces news; and now and then, where
 * they are wanted, for pools whose addresses load balancers have. The loop makes one call after the other, so that what it tells the reflector later was read later.
 */
public final class OwnersClient implements AutoCloseable {
    /** ipam-service's name as the owner of blocks: single addresses are of those. */
    private static final String SERVICE = "podwire-ipam-service";

    private static final Duration CALL = Duration.ofSeconds(5);
    private static final Duration FIRST_PAUSE = Duration.ofMillis(100);
    /** With the time of a call less than the 5 s within which all is in sync after an outage. */
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(3);

    private static final int MAX_MESSAGE_BYTES = 64 << 20;
    private static final int KEEPALIVE_SECONDS = 10;

    private final EventLoop loop = new EventLoop("owners");
    private final String target;
    private final Duration interval;
    private final boolean pools;
    private final Reflector reflector;
    private final ManagedChannel channel;
    private final Backoff backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE, ThreadLocalRandom.current());
    private int readings;

    /**
     * A client that has not called yet.
     *
     * @param target HOST:PORT of ipam-service
     * @param interval between two readings of all
     * @param pools whether pools for load balancers are read too
     * @param reflector is told what it says
     */
    public OwnersClient(String target, Duration interval, boolean pools, Reflector reflector) {
        this.target = target;
        this.interval = interval;
        this.pools = pools;
        this.reflector = reflector;
        this.channel = Grpc.newChannelBuilder(target, InsecureChannelCredentials.create())
                .keepAliveTime(KEEPALIVE_SECONDS, TimeUnit.SECONDS)
                .maxInboundMessageSize(MAX_MESSAGE_BYTES)
                .build();
    }

    /** Begins to read. */
    public void start() {
        loop.execute(this::read);
    }

    /** Asks about one node, and tells the reflector. */
    public void ask(Question question) {
        loop.execute(() -> {
            if (!told(() -> reflector.answered(question, answer(question)))) {
                readIn(backoff.next());
            }
        });
    }

    private void read() {
        // What lies in a pool is known before announcements that wait for owners are decided.
        boolean toldOfPools = !pools || told(() -> reflector.servicePools(servicePools()));
        if (toldOfPools && told(() -> reflector.owned(all()))) {
            backoff.reset();
            readIn(interval);
        } else {
            channel.resetConnectBackoff();
            readIn(backoff.next());
        }
    }

    /** The reading that was to come before does not. */
    private void readIn(Duration pause) {
        int mine = ++readings;
        loop.schedule(pause, () -> {
            if (mine == readings) {
                read();
            }
        });
    }

    private boolean told(Runnable reading) {
        try {
            reading.run();
            return true;
        } catch (StatusRuntimeException e) {
            reflector.away(GrpcErrors.fromGrpc("asking ipam-service at " + target + " who owns what", e)
                    .getMessage());
        } catch (IllegalArgumentException e) {
            reflector.away("ipam-service at " + target + " says what is not understood: " + e.getMessage());
        }
        return false;
    }

    private Owned all() {
        ListBlocksRequest.Builder blocks = ListBlocksRequest.newBuilder();
        return owned(blocks, singles(ListAddressesRequest.newBuilder()));
    }

    private List<IpPrefix> servicePools() {
        List<IpPrefix> prefixes = new ArrayList<>();
        ListPoolsRequest.Builder request = ListPoolsRequest.newBuilder();
        ListPoolsResponse page;
        do {
            page = PoolsGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(CALL.toMillis(), TimeUnit.MILLISECONDS)
                    .listPools(request.build());
            page.getPoolsList().stream()
                    .filter(OwnersMapping::isOfServices)
                    .map(pool -> IpPrefix.parse(pool.getCidr()))
                    .forEach(prefixes::add);
            request.setPageToken(page.getNextPageToken());
        } while (!page.getNextPageToken().isEmpty());
        return prefixes;
    }

    private Owned answer(Question question) {
        Map<IpAddress, NodeName> singles = new HashMap<>();
        for (IpAddress single : question.singles()) {
            singles.putAll(singles(ListAddressesRequest.newBuilder().setAddress(single.toString())));
        }
        return owned(ListBlocksRequest.newBuilder().setNode(question.node().value()), singles);
    }

    private Owned owned(ListBlocksRequest.Builder request, Map<IpAddress, NodeName> singles) {
        List<OwnedBlock> blocks = new ArrayList<>();
        List<NodeEpoch> installations = new ArrayList<>();
        ListBlocksResponse page;
        request.setInstallations(true);
        do {
            page = BlocksGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(CALL.toMillis(), TimeUnit.MILLISECONDS)
                    .listBlocks(request.build());
            page.getBlocksList().stream()
                    .filter(block -> !block.getOwner().getNode().equals(SERVICE))
                    .map(OwnersMapping::block)
                    .forEach(blocks::add);
            page.getInstallationsList().stream().map(OwnersMapping::epoch).forEach(installations::add);
            request.setPageToken(page.getNextPageToken());
        } while (!page.getNextPageToken().isEmpty());
        return new Owned(blocks, installations, singles);
    }

    /** Single addresses in use and where, as ipam-service has them itself: not what any node reports. */
    private Map<IpAddress, NodeName> singles(ListAddressesRequest.Builder request) {
        Map<IpAddress, NodeName> singles = new HashMap<>();
        ListAddressesResponse page;
        request.setNode(SERVICE).addStates(AddressState.ADDRESS_STATE_IN_USE);
        do {
            page = AddressesGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(CALL.toMillis(), TimeUnit.MILLISECONDS)
                    .listAddresses(request.build());
            for (Address address : page.getAddressesList()) {
                if (!address.getOwnerId().isEmpty() && !address.getNode().equals(SERVICE)) {
                    singles.put(IpAddress.parse(address.getAddress()), new NodeName(address.getNode()));
                }
            }
            request.setPageToken(page.getNextPageToken());
        } while (!page.getNextPageToken().isEmpty());
        return singles;
    }

    @Override
    public void close() {
        channel.shutdownNow();
        loop.close();
    }
}
