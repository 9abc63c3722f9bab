package io.podwire.ipam.service;

import io.grpc.MethodDescriptor;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.common.service.Answers;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.binding.NodeReport;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.OwnedBlock;
import io.podwire.ipam.core.ReclaimRules.Taken;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ClaimBlockRequest;
import io.podwire.proto.ipam.v1.ForgetNodeRequest;
import io.podwire.proto.ipam.v1.ForgetNodeResponse;
import io.podwire.proto.ipam.v1.ListBlocksRequest;
import io.podwire.proto.ipam.v1.ListBlocksResponse;
import io.podwire.proto.ipam.v1.ReleaseBlockRequest;
import io.podwire.proto.ipam.v1.ReleaseBlockResponse;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** podwire.ipam.v1.Blocks. */
public final class BlocksGrpcService extends BlocksGrpc.BlocksImplBase {
    /** The methods that do not wait where the store does not. */
    public static final List<MethodDescriptor<?, ?>> BEGUN =
            List.of(BlocksGrpc.getClaimBlockMethod(), BlocksGrpc.getReleaseBlockMethod());

    private static final int LARGEST_PAGE = 10_000;

    private final BlockFlow blocks;
    private final ReclaimFlow reclaims;
    private final NamespaceCatalog namespaces;
    private final BindingTable bindings;
    private final Timer claims;
    private final Timer refusedClaims;

    /** The service over its flows; a node that is connected to the table is not forgotten. */
    public BlocksGrpcService(
            BlockFlow blocks,
            ReclaimFlow reclaims,
            NamespaceCatalog namespaces,
            BindingTable bindings,
            MeterRegistry meters) {
        this.blocks = blocks;
        this.reclaims = reclaims;
        this.namespaces = namespaces;
        this.bindings = bindings;
        this.claims = timer("ok", meters);
        this.refusedClaims = timer("failed", meters);
    }

    private static Timer timer(String result, MeterRegistry meters) {
        return Timer.builder("podwire.ipam.claim")
                .description("Time of ClaimBlock calls, retries in the store included")
                .tag("result", result)
                .register(meters);
    }

    @Override
    public void claimBlock(ClaimBlockRequest request, StreamObserver<io.podwire.proto.ipam.v1.Block> answer) {
        Timer.Sample sample = Timer.start();
        ClaimRequest claim = IpamMapping.claim(request);
        Answers.when(
                blocks.beginClaim(claim)
                        .whenComplete((_, failure) -> sample.stop(failure == null ? claims : refusedClaims)),
                answer,
                IpamMapping::toProto);
    }

    @Override
    public void releaseBlock(ReleaseBlockRequest request, StreamObserver<ReleaseBlockResponse> answer) {
        Answers.when(
                blocks.beginRelease(
                        IpamMapping.epoch(request.getNode()),
                        IpamMapping.prefix(request.getCidr()),
                        request.getRequestId()),
                answer,
                _ -> ReleaseBlockResponse.getDefaultInstance());
    }

    @Override
    public void listBlocks(ListBlocksRequest request, StreamObserver<ListBlocksResponse> answer) {
        Predicate<Block> after = after(request.getPageToken());
        Ledger ledger = blocks.ledger();
        List<OwnedBlock> all = BlockFlow.owned(ledger);
        if (!request.getNode().isEmpty()) {
            NodeName node = IpamMapping.nodeName(request.getNode());
            all = all.stream()
                    .filter(b -> b.block().owner().node().equals(node))
                    .toList();
        }
        Page<OwnedBlock> page = Page.of(all, owned -> after.test(owned.block()), request.getPageSize(), LARGEST_PAGE);
        ListBlocksResponse.Builder response = ListBlocksResponse.newBuilder();
        page.items().forEach(block -> response.addBlocks(IpamMapping.toProto(block)));
        if (page.more()) {
            Block last = page.last().block();
            response.setNextPageToken(last.pool() + "/" + last.cidr());
        }
        if (request.getPageToken().isEmpty()) {
            NamespaceCatalog.Selections selections = namespaces.select(ledger.pools());
            response.setNamespacesVersion(selections.version());
            if (selections.version().isEmpty() || !selections.version().equals(request.getNamespacesVersion())) {
                selections.pools().forEach(pool -> response.addPoolNamespaces(IpamMapping.toProto(pool)));
            }
            if (request.getInstallations()) {
                ledger.nodes().stream()
                        .filter(epoch -> request.getNode().isEmpty()
                                || epoch.node().value().equals(request.getNode()))
                        .sorted(Comparator.comparing(Ledger::installation))
                        .forEach(epoch -> response.addInstallations(IpamMapping.toProto(epoch)));
            }
        }
        answer.onNext(response.build());
        answer.onCompleted();
    }

    @Override
    public void forgetNode(ForgetNodeRequest request, StreamObserver<ForgetNodeResponse> answer) {
        NodeName node = IpamMapping.nodeName(request.getNode());
        String uid = request.getNodeUid();
        if (!request.getEvenIfConnected()) {
            requireAway(node, uid);
        }
        Taken taken = reclaims.of(node, uid)
                .map(gone ->
                        request.getDryRun() ? reclaims.wouldTake(gone) : reclaims.takeBack(gone, "forgotten by call"))
                .orElse(Taken.NOTHING);
        answer.onNext(IpamMapping.toProto(taken));
        answer.onCompleted();
    }

    private void requireAway(NodeName node, String uid) {
        bindings.snapshot().stream()
                .filter(NodeReport::connected)
                .map(NodeReport::epoch)
                .filter(epoch ->
                        epoch.node().equals(node) && (uid.equals(ReclaimFlow.ANY_UID) || uid.equals(epoch.uid())))
                .findFirst()
                .ifPresent(epoch -> {
                    throw new ServiceException(
                            ErrorReason.FAILED_PRECONDITION,
                            "node " + node + " is not forgotten: " + epoch
                                    + " reports its bindings to this replica now;"
                                    + " stop node-shim there first, or name the installation that is gone by node_uid, or"
                                    + " ask with even_if_connected",
                            Map.of("node", node.value(), "node_uid", epoch.uid()));
                });
    }

    /** What follows the block that a page token (pool/cidr) names. */
    private static Predicate<Block> after(String token) {
        if (token.isEmpty()) {
            return _ -> true;
        }
        int slash = token.indexOf('/');
        if (slash < 0) {
            throw new ServiceException(
                    ErrorReason.INVALID_ARGUMENT, "'" + token + "' is no page_token of this list; start without one");
        }
        String pool = token.substring(0, slash);
        IpPrefix cidr = IpamMapping.prefix(token.substring(slash + 1));
        Comparator<IpPrefix> byAddress = Comparator.naturalOrder();
        return block -> block.pool().equals(pool)
                ? byAddress.compare(block.cidr(), cidr) > 0
                : block.pool().compareTo(pool) > 0;
    }
}
