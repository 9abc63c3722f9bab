package io.podwire.e2e.bench;

import io.podwire.common.loop.EventLoop;
import io.podwire.node.dataplane.ServiceReconciler;
import io.podwire.node.netlink.NftRules;
import io.podwire.node.netlink.NftTables;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.nft.backend.KernelNft;
import io.podwire.node.upstream.ServiceMapping;
import io.podwire.proto.policy.v1.ServicePort;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Podwire's, as node-shim writes them. */
final class PodwireServices implements ServiceRules {
    private final EventLoop loop = new EventLoop("services-bench");
    private final KernelNft nft;
    private final NftRules kernel;
    private final NftTables tables;
    private final ServiceReconciler services;

    /** In the network namespace of this name. */
    PodwireServices(String namespace) {
        try (Netns ns = Netns.open(Path.of("/run/netns", namespace))) {
            nft = NetnsThread.call(ns, KernelNft::open);
            tables = NetnsThread.call(ns, NftTables::open);
            kernel = NftRules.open(ns);
        } catch (Exception e) {
            throw new IllegalStateException("no way to the rules of " + namespace, e);
        }
        services = new ServiceReconciler(nft, kernel, tables, loop, List::of, _ -> {});
    }

    @Override
    public void program(List<ServicePort> all) throws IOException {
        services.replace(all.stream().map(ServiceMapping::port).toList()).join();
        check();
    }

    @Override
    public void change(List<ServicePort> all, ServicePort before, ServicePort after) throws IOException {
        services.change(List.of(ServiceMapping.port(after)), List.of()).join();
        check();
    }

    private void check() throws IOException {
        if (!services.healthy()) {
            throw new IOException("the kernel refused, see the log");
        }
    }

    @Override
    public void close() {
        loop.close();
        kernel.close();
        tables.close();
        nft.close();
    }
}
