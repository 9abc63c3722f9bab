package io.podwire.ipam.source;

import io.fabric8.kubernetes.api.model.LoadBalancerIngress;
import io.fabric8.kubernetes.api.model.LoadBalancerIngressBuilder;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceSpec;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.ipam.core.BalancedService;
import io.podwire.ipam.core.BalancedService.Ingress;
import io.podwire.ipam.core.Pool;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Between a Kubernetes Service and the core's values. What a Service wishes for is checked here. */
final class ServiceMapping {
    /** Addresses that are wished for, separated by ',', one of each family at most; as a pod's. */
    static final String IP = "podwire.io/ip";
    /** Names of pools that are wished for, separated by ','; as a pod's, which names one. */
    static final String POOL = "podwire.io/pool";

    /** Packets reach the Service's nodes with the address as destination: what no ipMode means, too. */
    private static final String VIP = "VIP";

    private ServiceMapping() {}

    /** A Service. What its wishes are that cannot be understood, {@link BalancedService#invalid} says. */
    static BalancedService service(Service object, ServiceClasses classes) {
        ObjectMeta meta = object.getMetadata();
        ServiceSpec spec = object.getSpec() == null ? new ServiceSpec() : object.getSpec();
        boolean served =
                text(spec.getType()).equals("LoadBalancer") && classes.serve(text(spec.getLoadBalancerClass()));
        List<IpFamily> families = List.of();
        List<IpAddress> addresses = List.of();
        List<String> pools = List.of();
        String invalid = "";
        if (served) {
            try {
                families = families(spec);
                addresses = addresses(meta, spec, families);
                pools = pools(meta);
            } catch (IllegalArgumentException e) {
                invalid = e.getMessage();
            }
        }
        return new BalancedService(
                text(meta.getNamespace()),
                text(meta.getName()),
                text(meta.getUid()),
                served,
                families,
                addresses,
                pools,
                invalid,
                ingress(object).stream().map(ServiceMapping::ingress).toList());
    }

    /** True when it is the one of this uid, not one made anew under its name. */
    static boolean is(Service object, String uid) {
        return uid.equals(object.getMetadata().getUid());
    }

    private static List<IpFamily> families(ServiceSpec spec) {
        List<IpFamily> families =
                list(spec.getIpFamilies()).stream().map(ServiceMapping::family).toList();
        if (families.isEmpty()) {
            throw new IllegalArgumentException(
                    "spec.ipFamilies is not set: an API server sets it to IPv4, IPv6 or both");
        }
        return families;
    }

    private static IpFamily family(String text) {
        return Stream.of(IpFamily.values())
                .filter(family -> family.label().equals(text))
                .findFirst()
                .orElseThrow(
                        () -> new IllegalArgumentException("spec.ipFamilies may be IPv4 and IPv6, got '" + text + "'"));
    }

    private static List<IpAddress> addresses(ObjectMeta meta, ServiceSpec spec, List<IpFamily> families) {
        List<String> texts = annotation(meta, IP);
        List<IpAddress> wished =
                texts.stream().map(text -> address("annotation " + IP, text)).toList();
        String field = text(spec.getLoadBalancerIP());
        if (!field.isEmpty()) {
            IpAddress one = address("spec.loadBalancerIP", field);
            if (wished.isEmpty()) {
                wished = List.of(one);
            } else if (!wished.contains(one)) {
                throw new IllegalArgumentException("spec.loadBalancerIP is " + one + ", which annotation " + IP
                        + " does not name: set one of them, or both to the same");
            }
        }
        if (wished.stream().map(IpAddress::family).distinct().count() < wished.size()) {
            throw new IllegalArgumentException(
                    "annotation " + IP + " names at most one address of each family, got " + wished);
        }
        for (IpAddress address : wished) {
            if (!families.contains(address.family())) {
                throw new IllegalArgumentException("it asks for " + address + ", and has no "
                        + address.family().label()
                        + " in spec.ipFamilies; add that family, or take the address out of annotation " + IP
                        + " or spec.loadBalancerIP");
            }
        }
        return wished;
    }

    private static IpAddress address(String where, String text) {
        try {
            return IpAddress.parse(text);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(where + ": " + e.getMessage(), e);
        }
    }

    private static List<String> pools(ObjectMeta meta) {
        List<String> names = annotation(meta, POOL);
        for (String name : names) {
            try {
                Pool.checkName(name);
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("annotation " + POOL + ": " + e.getMessage(), e);
            }
        }
        return names;
    }

    /** The parts of an annotation, without blanks around them; none where it is not there, or is blank. */
    private static List<String> annotation(ObjectMeta meta, String name) {
        String value = text((meta.getAnnotations() == null ? Map.<String, String>of() : meta.getAnnotations())
                        .get(name))
                .strip();
        return value.isEmpty()
                ? List.of()
                : Stream.of(value.split(",", -1)).map(String::strip).toList();
    }

    /** The entries of its status. */
    private static List<LoadBalancerIngress> ingress(Service object) {
        return object.getStatus() == null || object.getStatus().getLoadBalancer() == null
                ? List.of()
                : list(object.getStatus().getLoadBalancer().getIngress());
    }

    private static Ingress ingress(LoadBalancerIngress entry) {
        Optional<IpAddress> address = addressOf(entry);
        String mode = text(entry.getIpMode());
        return new Ingress(
                address,
                address.isPresent()
                        && text(entry.getHostname()).isEmpty()
                        // API servers before 1.29 do not keep a mode.
                        && (mode.isEmpty() || mode.equals(VIP))
                        && list(entry.getPorts()).isEmpty());
    }

    private static Optional<IpAddress> addressOf(LoadBalancerIngress entry) {
        try {
            return text(entry.getIp()).isEmpty() ? Optional.empty() : Optional.of(IpAddress.parse(entry.getIp()));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    /** What a status of these addresses has for entries. */
    static List<LoadBalancerIngress> ingress(List<IpAddress> addresses) {
        return addresses.stream()
                .map(address -> new LoadBalancerIngressBuilder()
                        .withIp(address.toString())
                        .withIpMode(VIP)
                        .build())
                .toList();
    }

    /** The entries of a Service's status without those of these addresses. */
    static List<LoadBalancerIngress> without(Service object, Set<IpAddress> addresses) {
        return ingress(object).stream()
                .filter(entry -> addressOf(entry).filter(addresses::contains).isEmpty())
                .collect(Collectors.toList());
    }

    private static String text(String value) {
        return value == null ? "" : value;
    }

    private static <T> List<T> list(List<T> value) {
        return value == null ? List.of() : value;
    }
}
