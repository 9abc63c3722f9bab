package io.podwire.deploy;

import io.podwire.common.service.ServiceOptions;
import io.podwire.common.service.ServiceRunner;
import io.podwire.ipam.IpamOptions;
import io.podwire.node.NodeOptions;
import io.podwire.policy.PolicyOptions;
import io.podwire.route.RouteOptions;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** The services that are deployed, with the options they really have. */
enum Deployed {
    IPAM_SERVICE("ipam-service", io.podwire.ipam.Main.class),
    POLICY_SERVICE("policy-service", io.podwire.policy.Main.class),
    ROUTE_REFLECTOR("route-reflector", io.podwire.route.Main.class),
    NODE_SHIM("node-shim", io.podwire.node.Main.class);

    /** The folder that this test is about. */
    static final Path DEPLOY = Path.of("").toAbsolutePath();

    private final String service;
    private final Class<?> main;

    Deployed(String service, Class<?> main) {
        this.service = service;
        this.main = main;
    }

    static Deployed of(String service) {
        for (Deployed each : values()) {
            if (each.service.equals(service)) {
                return each;
            }
        }
        throw new AssertionError("there is no service '" + service + "'");
    }

    String service() {
        return service;
    }

    Class<?> main() {
        return main;
    }

    ServiceOptions options() {
        return switch (this) {
            case IPAM_SERVICE -> new IpamOptions();
            case POLICY_SERVICE -> new PolicyOptions();
            case ROUTE_REFLECTOR -> new RouteOptions();
            case NODE_SHIM -> new NodeOptions();
        };
    }

    /** What the service makes of an environment and a command line; fails as the service would. */
    ServiceOptions parse(Map<String, String> environment, String... arguments) {
        ServiceOptions options = options();
        ServiceRunner.command(service, options, environment).parseArgs(arguments);
        options.check();
        return options;
    }

    /** PODWIRE_ names that the service reads. */
    Set<String> environmentNames() {
        return ServiceRunner.command(service, options(), Map.of()).getCommandSpec().options().stream()
                .filter(option -> !option.hidden())
                .map(ServiceRunner::environmentTwin)
                .collect(Collectors.toSet());
    }

    @Override
    public String toString() {
        return service;
    }
}
