package io.podwire.ipam.service;

import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.ipam.core.Ledger;
import io.podwire.proto.ipam.v1.CreatePoolRequest;
import io.podwire.proto.ipam.v1.DeletePoolRequest;
import io.podwire.proto.ipam.v1.DeletePoolResponse;
import io.podwire.proto.ipam.v1.GetPoolRequest;
import io.podwire.proto.ipam.v1.ListPoolsRequest;
import io.podwire.proto.ipam.v1.ListPoolsResponse;
import io.podwire.proto.ipam.v1.Pool;
import io.podwire.proto.ipam.v1.PoolsGrpc;
import java.util.Map;

/** podwire.ipam.v1.Pools. */
public final class PoolsGrpcService extends PoolsGrpc.PoolsImplBase {
    private static final int LARGEST_PAGE = 1_000;

    private final PoolFlow pools;
    private final BlockFlow blocks;

    /** The service over its flows. */
    public PoolsGrpcService(PoolFlow pools, BlockFlow blocks) {
        this.pools = pools;
        this.blocks = blocks;
    }

    @Override
    public void createPool(CreatePoolRequest request, StreamObserver<Pool> answer) {
        io.podwire.ipam.core.Pool pool = IpamMapping.pool(request.getPool());
        pools.create(pool);
        answer.onNext(IpamMapping.toProto(pool, blocks.ledger()));
        answer.onCompleted();
    }

    @Override
    public void getPool(GetPoolRequest request, StreamObserver<Pool> answer) {
        String name = IpamMapping.poolName(request.getName());
        Ledger ledger = blocks.ledger();
        answer.onNext(ledger.pool(name)
                .map(pool -> IpamMapping.toProto(pool, ledger))
                .orElseThrow(() ->
                        new ServiceException(ErrorReason.NOT_FOUND, "there is no pool " + name, Map.of("pool", name))));
        answer.onCompleted();
    }

    @Override
    public void listPools(ListPoolsRequest request, StreamObserver<ListPoolsResponse> answer) {
        Ledger ledger = blocks.ledger();
        Page<io.podwire.ipam.core.Pool> page = Page.of(
                ledger.pools(),
                pool -> pool.name().compareTo(request.getPageToken()) > 0,
                request.getPageSize(),
                LARGEST_PAGE);
        ListPoolsResponse.Builder response = ListPoolsResponse.newBuilder();
        page.items().forEach(pool -> response.addPools(IpamMapping.toProto(pool, ledger)));
        if (page.more()) {
            response.setNextPageToken(page.last().name());
        }
        answer.onNext(response.build());
        answer.onCompleted();
    }

    @Override
    public void deletePool(DeletePoolRequest request, StreamObserver<DeletePoolResponse> answer) {
        pools.delete(IpamMapping.poolName(request.getName()));
        answer.onNext(DeletePoolResponse.getDefaultInstance());
        answer.onCompleted();
    }
}
