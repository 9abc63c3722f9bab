package io.podwire.cli;

import io.podwire.proto.ipam.v1.ListNamespaceUsagesRequest;
import io.podwire.proto.ipam.v1.ListNamespaceUsagesResponse;
import io.podwire.proto.ipam.v1.NamespaceUsage;
import io.podwire.proto.ipam.v1.NamespacesGrpc;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code podwire ipam namespaces}. */
@Command(name = "namespaces", description = "How many addresses each namespace has, and may have.")
final class IpamNamespacesCommand implements Callable<Integer> {
    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_IPAM_SERVER:-127.0.0.1:7471}",
            description = "ipam-service's address. Default: ${DEFAULT-VALUE}")
    private String server;

    @Option(names = "--namespace", paramLabel = "NAME", defaultValue = "", description = "Only this namespace.")
    private String namespace;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        ListNamespaceUsagesResponse answer = Calls.call(
                "--server",
                server,
                "listing namespaces",
                channel -> Calls.pages(
                        token -> Calls.soon(NamespacesGrpc.newBlockingStub(channel))
                                .listNamespaceUsages(ListNamespaceUsagesRequest.newBuilder()
                                        .setNamespace(namespace)
                                        .setPageToken(token)
                                        .build()),
                        ListNamespaceUsagesResponse::getNextPageToken));
        Table table = new Table("NAMESPACE", "USED", "PODS", "SINGLE", "QUOTA", "LEFT");
        answer.getUsagesList()
                .forEach(of -> table.row(
                        of.getNamespace(),
                        used(of),
                        Integer.toUnsignedString(of.getPodAddresses()),
                        Integer.toUnsignedString(of.getSingleAddresses()),
                        of.hasQuota() ? Integer.toUnsignedString(of.getQuota()) : "-",
                        of.hasQuota() ? Math.max(0, Integer.toUnsignedLong(of.getQuota()) - used(of)) : "-"));
        output.print(answer, table);
        return 0;
    }

    private static long used(NamespaceUsage of) {
        return Integer.toUnsignedLong(of.getPodAddresses()) + Integer.toUnsignedLong(of.getSingleAddresses());
    }
}
