package io.podwire.e2e.bench;

import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.PodAddresses;
import io.podwire.e2e.mesh.Shell;
import io.podwire.node.dataplane.RulesetReconciler;
import io.podwire.node.journal.Attachment.PodIdentity;
import io.podwire.node.journal.Journal;
import io.podwire.node.nft.backend.KernelNft;
import io.podwire.node.nft.backend.NftBackend;
import io.podwire.node.nft.backend.NftException;
import io.podwire.node.nft.diff.ListedTable;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.Command;
import io.podwire.node.nft.model.TableId;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.LocalEndpoint;
import io.podwire.node.plan.Masquerade;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.PodName;
import io.podwire.node.upstream.NodeIdentity;
import io.podwire.node.upstream.PolicyClient;
import io.podwire.policy.model.Endpoint;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;

/** A node whose kernel enforces what it is told, by node-shim's own client, plan and transactions, in a namespace. */
final class EnforcingNode implements AutoCloseable {
    private static final String NETNS = "bp-node";

    private final ManagedChannel channel;
    private final Journal journal;
    private final KernelNft nft;
    private final EventLoop loop = new EventLoop("rules-of-node");

    private volatile boolean started;

    /** Says when the kernel judges otherwise than before. */
    private record Watched(NftBackend kernel, Runnable changed) implements NftBackend {
        @Override
        public void apply(Transaction transaction) throws NftException {
            kernel.apply(transaction);
            if (!transaction.commands().stream().allMatch(Watched::leadsNowhereYet)) {
                changed.run();
            }
        }

        /** New chains come in a transaction before that which leads to them. */
        private static boolean leadsNowhereYet(Command command) {
            return command instanceof Command.AddSet
                    || command instanceof Command.AddChain
                    || command instanceof Command.AddRules;
        }

        @Override
        public Optional<ListedTable> list(TableId table) throws NftException {
            return kernel.list(table);
        }
    }

    /**
     * A node that connects at once.
     *
     * @param folder for its journal
     * @param changed called each time that the kernel's rules have become others
     */
    EnforcingNode(PolicyCluster cluster, int number, int port, Path folder, Runnable changed) throws Exception {
        Shell.ipBatch(List.of("netns add " + NETNS));
        nft = PolicedNode.nft(NETNS);
        journal = Journal.open(Files.createDirectories(folder).resolve("journal.mv"));
        Journal.Life life = journal.begin("boot", Optional.empty());
        channel = NettyChannelBuilder.forTarget("127.0.0.1:" + port)
                .usePlaintext()
                .maxInboundMessageSize(64 << 20)
                .build();
        Watched watched = new Watched(nft, () -> {
            if (started) {
                changed.run();
            }
        });
        RulesetReconciler rules = new RulesetReconciler(watched, loop, EnumSet.of(IpFamily.V4), 4789, Masquerade.NONE);
        PolicyClient client = new PolicyClient(
                channel,
                loop,
                new NodeIdentity(cluster.node(number), life.nodeUid(), "boot", life.counter()),
                journal,
                rules);
        List<LocalEndpoint> endpoints = new ArrayList<>();
        for (int pod = number; pod < PolicyCluster.PODS; pod += cluster.nodes()) {
            Endpoint endpoint = cluster.endpoint(pod);
            PodAddresses addresses =
                    new PodAddresses(endpoint.addresses().stream().sorted().toList());
            endpoints.add(new LocalEndpoint(
                    EndpointKey.parse(endpoint.key()),
                    new PodName(endpoint.pod().namespace(), endpoint.pod().name()),
                    "",
                    "pw" + pod,
                    MacAddress.locallyAdministered(pod),
                    addresses));
            client.announce(
                    EndpointKey.parse(endpoint.key()),
                    new PodIdentity(endpoint.pod().namespace(), endpoint.pod().name(), "", true),
                    addresses);
        }
        rules.start(endpoints, Optional.of(NodeProgram.EMPTY));
        started = true;
        client.start();
    }

    @Override
    public void close() {
        channel.shutdownNow();
        loop.close();
        nft.close();
        journal.close();
        Shell.output("ip", "netns", "delete", NETNS);
    }
}
