package io.podwire.ipam.service;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.binding.PoolHolders;
import io.podwire.ipam.core.PoolUsage;
import io.podwire.proto.ipam.v1.CreatePoolRequest;
import io.podwire.proto.ipam.v1.DeletePoolRequest;
import io.podwire.proto.ipam.v1.DeletePoolResponse;
import io.podwire.proto.ipam.v1.GetPoolRequest;
import io.podwire.proto.ipam.v1.ListPoolsRequest;
import io.podwire.proto.ipam.v1.ListPoolsResponse;
import io.podwire.proto.ipam.v1.Pool;
import io.podwire.proto.ipam.v1.PoolsGrpc;
import io.podwire.proto.ipam.v1.UpdatePoolRequest;
import io.podwire.proto.ipam.v1.WatchPoolsRequest;
import io.podwire.proto.ipam.v1.WatchPoolsResponse;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;

/** podwire.ipam.v1.Pools. */
public final class PoolsGrpcService extends PoolsGrpc.PoolsImplBase {
    private static final int LARGEST_PAGE = 1_000;

    private final PoolFlow pools;
    private final BlockFlow blocks;
    private final PoolWatch watch;
    private final Forecasts forecasts;
    private final BindingTable bindings;

    /** The service over its flows. */
    public PoolsGrpcService(
            PoolFlow pools, BlockFlow blocks, PoolWatch watch, Forecasts forecasts, BindingTable bindings) {
        this.pools = pools;
        this.blocks = blocks;
        this.watch = watch;
        this.forecasts = forecasts;
        this.bindings = bindings;
    }

    /** A pool as it is told: while it drains, with the addresses that are left. */
    private Pool told(PoolUsage usage) {
        Pool message = IpamMapping.toProto(usage, forecasts.of(usage.pool().name()));
        return usage.pool().state() != io.podwire.ipam.core.PoolState.DRAINING
                ? message
                : message.toBuilder()
                        .setAddressesLeft(PoolHolders.inUse(usage.pool(), bindings.snapshot(), blocks.known()))
                        .build();
    }

    @Override
    public void createPool(CreatePoolRequest request, StreamObserver<Pool> answer) {
        io.podwire.ipam.core.Pool pool = IpamMapping.pool(request.getPool());
        pools.create(pool);
        answer.onNext(told(usage(pool.name())));
        answer.onCompleted();
    }

    @Override
    public void getPool(GetPoolRequest request, StreamObserver<Pool> answer) {
        answer.onNext(told(usage(IpamMapping.poolName(request.getName()))));
        answer.onCompleted();
    }

    private PoolUsage usage(String name) {
        return blocks.ledger().usage().stream()
                .filter(usage -> usage.pool().name().equals(name))
                .findFirst()
                .orElseThrow(() ->
                        new ServiceException(ErrorReason.NOT_FOUND, "there is no pool " + name, Map.of("pool", name)));
    }

    @Override
    public void listPools(ListPoolsRequest request, StreamObserver<ListPoolsResponse> answer) {
        Page<PoolUsage> page = Page.of(
                blocks.ledger().usage(),
                usage -> usage.pool().name().compareTo(request.getPageToken()) > 0,
                request.getPageSize(),
                LARGEST_PAGE);
        ListPoolsResponse.Builder response = ListPoolsResponse.newBuilder();
        page.items().forEach(usage -> response.addPools(told(usage)));
        if (page.more()) {
            response.setNextPageToken(page.last().pool().name());
        }
        answer.onNext(response.build());
        answer.onCompleted();
    }

    @Override
    public void updatePool(UpdatePoolRequest request, StreamObserver<Pool> answer) {
        String name = IpamMapping.poolName(request.getPool().getName());
        var _ = pools.update(name, IpamMapping.edits(request));
        answer.onNext(told(usage(name)));
        answer.onCompleted();
    }

    @Override
    public void deletePool(DeletePoolRequest request, StreamObserver<DeletePoolResponse> answer) {
        pools.delete(IpamMapping.poolName(request.getName()));
        answer.onNext(DeletePoolResponse.getDefaultInstance());
        answer.onCompleted();
    }

    @Override
    public void watchPools(WatchPoolsRequest request, StreamObserver<WatchPoolsResponse> answer) {
        ServerCallStreamObserver<WatchPoolsResponse> out = (ServerCallStreamObserver<WatchPoolsResponse>) answer;
        // The observer is written on the watch's loop alone: it is not safe for several threads.
        PoolWatch.Watcher watcher = new PoolWatch.Watcher(
                out::isReady, new Numbered(out, this::told), why -> out.onError(GrpcErrors.toGrpc(why)));
        out.setOnReadyHandler(() -> watch.writable(watcher));
        out.setOnCancelHandler(() -> watch.gone(watcher));
        watch.add(watcher);
    }

    /** Sends the pools, with a number; owned by the watch's loop. */
    private static final class Numbered implements Consumer<List<PoolUsage>> {
        private final StreamObserver<WatchPoolsResponse> out;
        private final Function<PoolUsage, Pool> told;
        private long sequence;

        private Numbered(StreamObserver<WatchPoolsResponse> out, Function<PoolUsage, Pool> told) {
            this.out = out;
            this.told = told;
        }

        @Override
        public void accept(List<PoolUsage> pools) {
            sequence++;
            out.onNext(WatchPoolsResponse.newBuilder()
                    .setSequence(sequence)
                    .addAllPools(pools.stream().map(told).toList())
                    .build());
        }
    }
}
