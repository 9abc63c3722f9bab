package io.podwire.cli;

import io.podwire.cli.conformance.CniConformanceCommand;
import io.podwire.cli.lab.LabCommand;
import io.podwire.common.service.ServiceRunner;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;

/** {@code podwire}: its subcommands, one class each. */
@Command(
        name = "podwire",
        description = "Looks at Podwire's node daemons and services, and runs a whole cluster in a lab.",
        mixinStandardHelpOptions = true,
        versionProvider = PodwireCommand.Version.class,
        scope = picocli.CommandLine.ScopeType.INHERIT,
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            PodwireCommand.Node.class,
            PodwireCommand.Ipam.class,
            PodwireCommand.Policy.class,
            PodwireCommand.Service.class,
            PodwireCommand.Route.class,
            PodwireCommand.Bgp.class,
            AddressesCommand.class,
            AuditCommand.class,
            ForgetNodeCommand.class,
            LabCommand.class,
            CniConformanceCommand.class,
        })
final class PodwireCommand {
    @Command(
            name = "node",
            description = "What this node's node-shim has; for root, on its unix socket.",
            subcommands = {
                NodeStatusCommand.class,
                NodeEndpointsCommand.class,
                NodeDropsCommand.class,
                NodeWitnessCommand.class,
            })
    static final class Node {}

    @Command(
            name = "ipam",
            description = "Pools and blocks of addresses, from ipam-service.",
            subcommands = {
                IpamPoolsCommand.class,
                IpamCreatePoolCommand.class,
                IpamUpdatePoolCommand.class,
                IpamDeletePoolCommand.class,
                IpamBlocksCommand.class,
                IpamNamespacesCommand.class,
            })
    static final class Ipam {}

    @Command(
            name = "policy",
            description = "Policies and where they are enforced, from policy-service.",
            subcommands = {
                PolicyListCommand.class,
                PolicyRolloutCommand.class,
                PolicyExplainCommand.class,
                PolicySimulateCommand.class,
                PolicyDiffCommand.class,
                PolicyDropsCommand.class,
            })
    static final class Policy {}

    @Command(
            name = "service",
            description = "Kubernetes Services and where nodes send their traffic, from policy-service.",
            subcommands = {ServiceListCommand.class, ServiceExplainCommand.class})
    static final class Service {}

    @Command(
            name = "route",
            description = "Routes between nodes, from route-reflector.",
            subcommands = {RouteListCommand.class})
    static final class Route {}

    @Command(
            name = "bgp",
            description = "BGP neighbours and routes, from route-reflector.",
            subcommands = {BgpPeersCommand.class, BgpRoutesCommand.class, BgpExplainCommand.class})
    static final class Bgp {}

    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"podwire " + ServiceRunner.RELEASE};
        }
    }
}
