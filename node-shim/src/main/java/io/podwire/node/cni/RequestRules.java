package io.podwire.node.cni;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.cni.CniException.Code;
import io.podwire.node.plan.ExtraRoute;
import io.podwire.node.plan.HostPort;
import io.podwire.node.plan.PodRequest;
import io.podwire.node.plan.Shaping;
import io.podwire.node.plan.WiringMode;
import java.util.Set;
import java.util.function.Function;

/** Whether what a pod asks for can be had on this node, decided before anything is done for it. Pure. */
final class RequestRules {
    /** RFC 8200 §5. */
    private static final int LEAST_IPV6_MTU = 1280;

    private final Set<IpFamily> families;
    private final Function<IpFamily, IpAddress> gateway;

    /**
     * The rules of a node.
     *
     * @param families what a new pod gets an address of, each
     * @param gateway the one next hop of a pod, by family
     */
    RequestRules(Set<IpFamily> families, Function<IpFamily, IpAddress> gateway) {
        this.families = Set.copyOf(families);
        this.gateway = gateway;
    }

    /**
     * Checks a request.
     *
     * @param mode how the pod shall be wired
     * @param ownNamespace the interface shall be in the node's own network namespace
     * @throws CniException code 2 or 7, naming the first thing that cannot be had
     */
    void check(PodRequest request, WiringMode mode, boolean ownNamespace) throws CniException {
        checkMode(request, mode);
        for (IpAddress address : request.addresses()) {
            checkFamily("address " + address, address.family());
        }
        for (HostPort port : request.hostPorts()) {
            if (port.onlyOn().isPresent()) {
                checkFamily("hostIP of host port " + port, port.onlyOn().get().family());
            }
        }
        if (request.mtu().isPresent() && request.mtu().getAsInt() < LEAST_IPV6_MTU && families.contains(IpFamily.V6)) {
            throw new CniException(
                    Code.INVALID_CONFIG,
                    "invalid mtu",
                    "pods of this node have IPv6 addresses, which need " + LEAST_IPV6_MTU + " bytes at least, got "
                            + request.mtu().getAsInt());
        }
        for (ExtraRoute route : request.routes()) {
            check(route);
        }
        if (ownNamespace && !(request.routes().isEmpty() && request.sysctls().isEmpty())) {
            throw new CniException(
                    Code.UNSUPPORTED_FIELD,
                    "unsupported routes and sysctl in the node's own network namespace",
                    "they would be the node's: take them out of the configuration, or attach another namespace");
        }
    }

    /** What is done on a pod's link to its node needs such a link. */
    private static void checkMode(PodRequest request, WiringMode mode) throws CniException {
        if (mode.device().isEmpty()) {
            return;
        }
        if (!request.shaping().equals(Shaping.NONE)) {
            throw withoutLink("bandwidth", mode);
        }
        if (!request.hostPorts().isEmpty()) {
            throw withoutLink("portMappings", mode);
        }
        if (request.mac().isPresent() && mode.hostSide() == WiringMode.HostSide.NONE) {
            throw new CniException(
                    Code.UNSUPPORTED_FIELD,
                    "unsupported mac in mode " + mode.name(),
                    "the pod's interface has the MAC address of the device it is on");
        }
    }

    private static CniException withoutLink(String what, WiringMode mode) {
        return new CniException(
                Code.UNSUPPORTED_FIELD,
                "unsupported " + what + " in mode " + mode.name(),
                "packets of other machines reach the pod past its node: choose mode bridge or routed, or take " + what
                        + " out of the capabilities");
    }

    private void check(ExtraRoute route) throws CniException {
        IpFamily family = route.destination().family();
        checkFamily("route to " + route.destination(), family);
        IpAddress ours = gateway.apply(family);
        if (route.gateway().isPresent() && !route.gateway().get().equals(ours)) {
            throw new CniException(
                    Code.UNSUPPORTED_FIELD,
                    "unsupported gw of the route to " + route.destination(),
                    "it is " + route.gateway().get() + ": a pod shares its link with nobody but " + ours
                            + ", which is taken where gw is left out");
        }
        if (route.destination().length() == 0
                && route.priority().orElse(0) == 0
                && route.table().isEmpty()) {
            throw new CniException(
                    Code.UNSUPPORTED_FIELD,
                    "unsupported route to " + route.destination(),
                    "every pod has its default route already: give this one a priority or a table");
        }
    }

    private void checkFamily(String what, IpFamily family) throws CniException {
        if (!families.contains(family)) {
            throw new CniException(
                    Code.UNSUPPORTED_FIELD,
                    "unsupported " + what,
                    "pods of this node have addresses of " + families + " alone: see --ip-families of node-shim");
        }
    }
}
