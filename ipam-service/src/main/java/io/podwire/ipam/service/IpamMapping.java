package io.podwire.ipam.service;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.AddressRules;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.CoolDown;
import io.podwire.ipam.core.DrainPace;
import io.podwire.ipam.core.NamespaceSelector;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.NodeSelector;
import io.podwire.ipam.core.OwnedBlock;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.PoolSource;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.core.PoolUsage;
import io.podwire.ipam.core.ReclaimRules.Taken;
import io.podwire.ipam.core.SelectedNamespaces;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.ClaimBlockRequest;
import io.podwire.proto.ipam.v1.ForgetNodeResponse;
import io.podwire.proto.ipam.v1.PoolNamespaces;
import io.podwire.proto.ipam.v1.UpdatePoolRequest;
import java.math.BigInteger;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** Between podwire.ipam.v1 and the core's values. */
final class IpamMapping {
    private static final String EDITABLE = "cidr, block_length, state, reserved, node_selector, namespace_selector,"
            + " purpose, cool_down, drain_pace, source (to 'grpc')";

    /** Counts of blocks have 32 bits: this many stands for more as well, 2^74 in an IPv6 /48 of /122 blocks. */
    private static final BigInteger MOST_BLOCKS_TOLD = BigInteger.valueOf(0xFFFF_FFFFL);

    private IpamMapping() {}

    static NodeEpoch epoch(io.podwire.proto.common.v1.NodeEpoch message) {
        NodeEpoch epoch = checked(() -> new NodeEpoch(
                new NodeName(message.getNode()), message.getNodeUid(), message.getBootId(), message.getCounter()));
        if (epoch.node().equals(AddressRules.SERVICE.node())) {
            throw new ServiceException(
                    ErrorReason.INVALID_ARGUMENT,
                    "no node may be named " + epoch.node() + ": it owns the blocks of single addresses");
        }
        return epoch;
    }

    static io.podwire.proto.common.v1.NodeEpoch toProto(NodeEpoch epoch) {
        return io.podwire.proto.common.v1.NodeEpoch.newBuilder()
                .setNode(epoch.node().value())
                .setNodeUid(epoch.uid())
                .setBootId(epoch.bootId())
                .setCounter(epoch.counter())
                .build();
    }

    static ClaimRequest claim(ClaimBlockRequest message) {
        NodeEpoch caller = epoch(message.getNode());
        return checked(() -> new ClaimRequest(
                caller,
                message.getNodeLabelsMap(),
                message.getPool(),
                family(message.getFamily(), message.getFamilyValue()),
                message.getRequestId()));
    }

    /** A node that knows no family asks for IPv4. */
    private static IpFamily family(io.podwire.proto.common.v1.IpFamily message, int number) {
        return switch (message) {
            case IP_FAMILY_UNSPECIFIED, IP_FAMILY_IPV4 -> IpFamily.V4;
            case IP_FAMILY_IPV6 -> IpFamily.V6;
            case UNRECOGNIZED ->
                throw new IllegalArgumentException("family must be 4 (IPv4), 6 (IPv6) or 0 (IPv4), got " + number);
        };
    }

    static Block toProto(OwnedBlock owned) {
        Block.Builder block = Block.newBuilder()
                .setPool(owned.block().pool())
                .setCidr(owned.block().cidr().toString())
                .setOwner(toProto(owned.block().owner()))
                .setRequestId(owned.block().requestId())
                .setNamespaceSelected(owned.namespaceSelected());
        switch (owned.coolDown()) {
            case CoolDown.OfNode _ -> {}
            case CoolDown.Of(Duration length) -> block.setCoolDown(toProto(length));
        }
        owned.poolState().ifPresent(state -> block.setPoolState(toProto(state)));
        return block.build();
    }

    static ForgetNodeResponse toProto(Taken taken) {
        ForgetNodeResponse.Builder response = ForgetNodeResponse.newBuilder();
        taken.fenced().forEach(epoch -> response.addInstallations(toProto(epoch)));
        taken.blocks()
                .forEach(block -> response.addBlocks(Block.newBuilder()
                        .setPool(block.pool())
                        .setCidr(block.cidr().toString())
                        .setOwner(toProto(block.owner()))
                        .setRequestId(block.requestId())));
        taken.addresses()
                .forEach(address -> response.addAddresses(address.address().toString()));
        return response.build();
    }

    private static com.google.protobuf.Duration toProto(Duration length) {
        return com.google.protobuf.Duration.newBuilder()
                .setSeconds(length.getSeconds())
                .setNanos(length.getNano())
                .build();
    }

    private static CoolDown coolDown(io.podwire.proto.ipam.v1.Pool message) {
        if (!message.hasCoolDown()) {
            return CoolDown.OF_NODE;
        }
        com.google.protobuf.Duration length = message.getCoolDown();
        try {
            return new CoolDown.Of(Duration.ofSeconds(length.getSeconds(), length.getNanos()));
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException("cool_down must be 0 s to 24 h, got " + length.getSeconds() + " s", e);
        }
    }

    static PoolNamespaces toProto(SelectedNamespaces selected) {
        return PoolNamespaces.newBuilder()
                .setPool(selected.pool())
                .setFamily(
                        switch (selected.family()) {
                            case V4 -> io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV4;
                            case V6 -> io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV6;
                        })
                .addAllNamespaces(selected.namespaces().orElse(Collections.emptySortedSet()))
                .setUnresolved(selected.namespaces().isEmpty())
                .build();
    }

    static Pool pool(io.podwire.proto.ipam.v1.Pool message) {
        return checked(() -> {
            IpPrefix cidr = IpPrefix.parse(message.getCidr());
            int blockLength = message.getBlockLength() == 0 ? Pool.defaultBlockLength(cidr) : message.getBlockLength();
            PoolState state = message.getState() == io.podwire.proto.ipam.v1.PoolState.POOL_STATE_UNSPECIFIED
                    ? PoolState.ACTIVE
                    : state(message);
            return new Pool(
                    message.getName(),
                    cidr,
                    blockLength,
                    state,
                    prefixes(message.getReservedList()),
                    NodeSelector.of(message.getNodeSelectorMap()),
                    NamespaceSelector.of(message.getNamespaceSelectorMap()),
                    message.getPurpose() == io.podwire.proto.ipam.v1.PoolPurpose.POOL_PURPOSE_UNSPECIFIED
                            ? PoolPurpose.PODS
                            : purpose(message),
                    coolDown(message),
                    PoolSource.GRPC,
                    0,
                    new DrainPace(message.getDrainPace()));
        });
    }

    /** The edits that an update's mask names. */
    static List<PoolEdit> edits(UpdatePoolRequest message) {
        io.podwire.proto.ipam.v1.Pool pool = message.getPool();
        return checked(() -> {
            if (message.getUpdateMask().getPathsCount() == 0) {
                throw new IllegalArgumentException("update_mask must name at least one of " + EDITABLE);
            }
            return message.getUpdateMask().getPathsList().stream()
                    .map(path -> edit(pool, path))
                    .toList();
        });
    }

    private static PoolEdit edit(io.podwire.proto.ipam.v1.Pool pool, String path) {
        return switch (path) {
            case "cidr" -> new PoolEdit.Cidr(IpPrefix.parse(pool.getCidr()));
            case "block_length" -> new PoolEdit.BlockLength(pool.getBlockLength());
            case "state" -> new PoolEdit.State(state(pool));
            case "reserved" -> new PoolEdit.Reserved(prefixes(pool.getReservedList()));
            case "node_selector" -> new PoolEdit.Nodes(NodeSelector.of(pool.getNodeSelectorMap()));
            case "namespace_selector" -> new PoolEdit.Namespaces(NamespaceSelector.of(pool.getNamespaceSelectorMap()));
            case "purpose" -> new PoolEdit.Purpose(purpose(pool));
            case "cool_down" -> new PoolEdit.Cooling(coolDown(pool));
            case "drain_pace" -> new PoolEdit.Pace(new DrainPace(pool.getDrainPace()));
            case "source" -> new PoolEdit.Source(takenOver(pool));
            default -> throw new IllegalArgumentException("update_mask: '" + path + "' is not one of " + EDITABLE);
        };
    }

    private static PoolState state(io.podwire.proto.ipam.v1.Pool message) {
        return switch (message.getState()) {
            case POOL_STATE_ACTIVE -> PoolState.ACTIVE;
            case POOL_STATE_DRAINING -> PoolState.DRAINING;
            case POOL_STATE_RETIRED -> PoolState.RETIRED;
            case POOL_STATE_UNSPECIFIED, UNRECOGNIZED ->
                throw new IllegalArgumentException(
                        "state must be 1 (ACTIVE), 2 (DRAINING) or 3 (RETIRED), got " + message.getStateValue());
        };
    }

    private static io.podwire.proto.ipam.v1.PoolState toProto(PoolState state) {
        return switch (state) {
            case ACTIVE -> io.podwire.proto.ipam.v1.PoolState.POOL_STATE_ACTIVE;
            case DRAINING -> io.podwire.proto.ipam.v1.PoolState.POOL_STATE_DRAINING;
            case RETIRED -> io.podwire.proto.ipam.v1.PoolState.POOL_STATE_RETIRED;
        };
    }

    private static PoolPurpose purpose(io.podwire.proto.ipam.v1.Pool message) {
        return switch (message.getPurpose()) {
            case POOL_PURPOSE_PODS -> PoolPurpose.PODS;
            case POOL_PURPOSE_STATIC -> PoolPurpose.STATIC;
            case POOL_PURPOSE_LOAD_BALANCER -> PoolPurpose.LOAD_BALANCER;
            case POOL_PURPOSE_UNSPECIFIED, UNRECOGNIZED ->
                throw new IllegalArgumentException(
                        "purpose must be 1 (PODS), 2 (STATIC) or 3 (LOAD_BALANCER), got " + message.getPurposeValue());
        };
    }

    private static io.podwire.proto.ipam.v1.PoolPurpose toProto(PoolPurpose purpose) {
        return switch (purpose) {
            case PODS -> io.podwire.proto.ipam.v1.PoolPurpose.POOL_PURPOSE_PODS;
            case STATIC -> io.podwire.proto.ipam.v1.PoolPurpose.POOL_PURPOSE_STATIC;
            case LOAD_BALANCER -> io.podwire.proto.ipam.v1.PoolPurpose.POOL_PURPOSE_LOAD_BALANCER;
        };
    }

    private static PoolSource takenOver(io.podwire.proto.ipam.v1.Pool message) {
        if (!message.getSource().equals(PoolSource.GRPC.toString())) {
            throw new IllegalArgumentException("source can be changed to 'grpc' alone, got '" + message.getSource()
                    + "'; what a manifest or Kubernetes declares is created there");
        }
        return PoolSource.GRPC;
    }

    private static List<IpPrefix> prefixes(List<String> texts) {
        return texts.stream().map(IpPrefix::parse).toList();
    }

    static io.podwire.proto.ipam.v1.Pool toProto(PoolUsage usage, Optional<Duration> exhaustedIn) {
        io.podwire.proto.ipam.v1.Pool.Builder message = toProto(usage).toBuilder();
        exhaustedIn.ifPresent(end -> message.setExhaustedIn(toProto(end)));
        return message.build();
    }

    static io.podwire.proto.ipam.v1.Pool toProto(PoolUsage usage) {
        Pool pool = usage.pool();
        io.podwire.proto.ipam.v1.Pool.Builder message = io.podwire.proto.ipam.v1.Pool.newBuilder()
                .setName(pool.name())
                .setCidr(pool.cidr().toString())
                .setBlockLength(pool.blockLength())
                .setOwnedBlocks(usage.ownedBlocks())
                .setTotalBlocks(count(pool.totalBlocks()))
                .setState(toProto(pool.state()))
                .addAllReserved(pool.reserved().stream().map(IpPrefix::toString).toList())
                .putAllNodeSelector(pool.nodes().labels())
                .setReservedBlocks(count(pool.reservedBlocks()))
                .putAllNamespaceSelector(pool.namespaces().labels())
                .setPurpose(toProto(pool.purpose()))
                .setSource(pool.source().toString())
                .setDrainingFromBlocks(pool.drainingFrom())
                .setDrainPace(pool.drainPace().perMinute());
        switch (pool.coolDown()) {
            case CoolDown.OfNode _ -> {}
            case CoolDown.Of(Duration length) -> message.setCoolDown(toProto(length));
        }
        return message.build();
    }

    private static int count(BigInteger blocks) {
        return blocks.min(MOST_BLOCKS_TOLD).intValue();
    }

    static IpPrefix prefix(String text) {
        return checked(() -> IpPrefix.parse(text));
    }

    static String poolName(String text) {
        return checked(() -> {
            Pool.checkName(text);
            return text;
        });
    }

    static NodeName nodeName(String text) {
        return checked(() -> new NodeName(text));
    }

    /** A value's own check, as the caller's mistake. */
    private static <T> T checked(Supplier<T> value) {
        try {
            return value.get();
        } catch (IllegalArgumentException e) {
            throw new ServiceException(ErrorReason.INVALID_ARGUMENT, e.getMessage(), e);
        }
    }
}
