package io.podwire.policy.watch;

import static io.podwire.policy.watch.KubernetesMapping.list;
import static io.podwire.policy.watch.KubernetesMapping.map;
import static io.podwire.policy.watch.KubernetesMapping.namespaceOf;
import static io.podwire.policy.watch.KubernetesMapping.required;
import static io.podwire.policy.watch.KubernetesMapping.text;

import io.fabric8.kubernetes.api.model.ClientIPConfig;
import io.fabric8.kubernetes.api.model.LoadBalancerIngress;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.ObjectReference;
import io.fabric8.kubernetes.api.model.ServicePort;
import io.fabric8.kubernetes.api.model.ServiceSpec;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointConditions;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointHints;
import io.fabric8.kubernetes.api.model.discovery.v1.ForNode;
import io.fabric8.kubernetes.api.model.discovery.v1.ForZone;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.policy.model.EndpointSlice;
import io.podwire.policy.model.EndpointSlice.Backend;
import io.podwire.policy.model.EndpointSlice.Conditions;
import io.podwire.policy.model.EndpointSlice.Hints;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.model.Service;
import io.podwire.policy.model.ServiceKey;
import io.podwire.policy.model.SliceKey;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** From the Kubernetes API's Services and EndpointSlices to ours; what we do not model is dropped. */
public final class ServiceMapping {
    private static final Logger log = LoggerFactory.getLogger(ServiceMapping.class);
    private static final String SERVICE_NAME = "kubernetes.io/service-name";
    private static final String PROXY_NAME = "service.kubernetes.io/service-proxy-name";
    private static final String HEADLESS = "service.kubernetes.io/headless";
    /** The API's default of spec.sessionAffinityConfig.clientIP.timeoutSeconds. */
    private static final int AFFINITY_SECONDS = 10_800;

    private ServiceMapping() {}

    static ServiceKey serviceKey(io.fabric8.kubernetes.api.model.Service object) {
        ObjectMeta meta = object.getMetadata();
        return new ServiceKey(namespaceOf(meta), required(meta.getName(), "a Service needs metadata.name"));
    }

    static SliceKey sliceKey(io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice object) {
        ObjectMeta meta = object.getMetadata();
        return new SliceKey(namespaceOf(meta), required(meta.getName(), "an EndpointSlice needs metadata.name"));
    }

    /**
     * A Service.
     *
     * @throws IllegalArgumentException when it has values that the API server would refuse
     */
    public static Service service(io.fabric8.kubernetes.api.model.Service object) {
        ServiceKey key = serviceKey(object);
        ServiceSpec spec = object.getSpec() == null ? new ServiceSpec() : object.getSpec();
        Service.Type type = type(text(spec.getType()));
        List<IpAddress> clusterIps = clusterIps(spec);
        Set<IpAddress> externalIps = list(spec.getExternalIPs()).stream()
                .map(text -> IpAddress.parse(text(text)))
                .collect(Collectors.toSet());
        boolean external = type == Service.Type.NODE_PORT
                || type == Service.Type.LOAD_BALANCER
                || (type == Service.Type.CLUSTER_IP && !externalIps.isEmpty());
        boolean externalLocal =
                external && text(spec.getExternalTrafficPolicy()).equals("Local");
        return new Service(
                key,
                type,
                clusterIps,
                list(spec.getPorts()).stream().map(ServiceMapping::port).toList(),
                externalIps,
                loadBalancerIps(object),
                sources(key, list(spec.getLoadBalancerSourceRanges())),
                affinity(spec),
                text(spec.getInternalTrafficPolicy()).equals("Local"),
                externalLocal,
                externalLocal && type == Service.Type.LOAD_BALANCER ? number(spec.getHealthCheckNodePort()) : 0,
                notServed(map(object.getMetadata().getLabels()), type, spec, clusterIps));
    }

    private static Service.Type type(String text) {
        return switch (text) {
            case "", "ClusterIP" -> Service.Type.CLUSTER_IP;
            case "NodePort" -> Service.Type.NODE_PORT;
            case "LoadBalancer" -> Service.Type.LOAD_BALANCER;
            case "ExternalName" -> Service.Type.EXTERNAL_NAME;
            default ->
                throw new IllegalArgumentException(
                        "type may be ClusterIP, NodePort, LoadBalancer or ExternalName, got '" + text + "'");
        };
    }

    private static List<IpAddress> clusterIps(ServiceSpec spec) {
        List<String> all = list(spec.getClusterIPs());
        return (all.isEmpty() ? Stream.of(text(spec.getClusterIP())) : all.stream())
                .filter(text -> !text.isEmpty() && !text.equals("None"))
                .map(IpAddress::parse)
                .toList();
    }

    private static Service.Port port(ServicePort port) {
        return new Service.Port(
                text(port.getName()), protocol(port.getProtocol()), number(port.getPort()), number(port.getNodePort()));
    }

    private static Set<IpAddress> loadBalancerIps(io.fabric8.kubernetes.api.model.Service object) {
        if (object.getStatus() == null || object.getStatus().getLoadBalancer() == null) {
            return Set.of();
        }
        return list(object.getStatus().getLoadBalancer().getIngress()).stream()
                .filter(ingress -> text(ingress.getIpMode()).isEmpty()
                        || ingress.getIpMode().equals("VIP"))
                .map(LoadBalancerIngress::getIp)
                .map(KubernetesMapping::text)
                .filter(text -> !text.isEmpty())
                .map(IpAddress::parse)
                .collect(Collectors.toSet());
    }

    /** A range that cannot be read lets nobody in. The API server lets blanks around them pass. */
    private static Service.Sources sources(ServiceKey key, List<String> texts) {
        Set<IpPrefix> ranges = new HashSet<>();
        for (String text : texts) {
            try {
                ranges.add(KubernetesMapping.prefix(text(text).strip()));
            } catch (IllegalArgumentException e) {
                log.warn("service {} names a source range that lets nobody in: {}", key, e.getMessage());
            }
        }
        return texts.isEmpty() ? Service.Sources.ANY : new Service.Sources(true, ranges);
    }

    private static int affinity(ServiceSpec spec) {
        if (!text(spec.getSessionAffinity()).equals("ClientIP")) {
            return 0;
        }
        ClientIPConfig config = spec.getSessionAffinityConfig() == null
                ? null
                : spec.getSessionAffinityConfig().getClientIP();
        return config == null || config.getTimeoutSeconds() == null ? AFFINITY_SECONDS : config.getTimeoutSeconds();
    }

    private static String notServed(
            Map<String, String> labels, Service.Type type, ServiceSpec spec, List<IpAddress> clusterIps) {
        if (type == Service.Type.EXTERNAL_NAME) {
            return "it is an alias of the name " + text(spec.getExternalName());
        }
        if (labels.containsKey(PROXY_NAME)) {
            return "another proxy serves it: label " + PROXY_NAME + " is '" + labels.get(PROXY_NAME) + "'";
        }
        if (labels.containsKey(HEADLESS) || text(spec.getClusterIP()).equals("None")) {
            return "headless";
        }
        return clusterIps.isEmpty() ? "it has no cluster IP yet" : "";
    }

    /**
     * Some endpoints of a Service; empty when they are no Service's, or are names.
     *
     * @throws IllegalArgumentException when it has values that the API server would refuse
     */
    public static Optional<EndpointSlice> slice(io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice object) {
        SliceKey key = sliceKey(object);
        String service = map(object.getMetadata().getLabels()).getOrDefault(SERVICE_NAME, "");
        String type = text(object.getAddressType());
        if (service.isEmpty() || type.equals("FQDN")) {
            return Optional.empty();
        }
        IpFamily family = switch (type) {
            case "IPv4" -> IpFamily.V4;
            case "IPv6" -> IpFamily.V6;
            default -> throw new IllegalArgumentException("addressType may be IPv4, IPv6 or FQDN, got '" + type + "'");
        };
        return Optional.of(new EndpointSlice(
                key,
                new ServiceKey(key.namespace(), service),
                family,
                // A port without a number would mean every port; nobody serves that.
                list(object.getPorts()).stream()
                        .filter(port -> number(port.getPort()) != 0)
                        .map(port -> new EndpointSlice.Port(
                                text(port.getName()), protocol(port.getProtocol()), port.getPort()))
                        .toList(),
                list(object.getEndpoints()).stream()
                        .filter(endpoint -> !list(endpoint.getAddresses()).isEmpty())
                        .map(ServiceMapping::backend)
                        .toList()));
    }

    /** Of several addresses of an endpoint the first is used: the API says that they all lead to the same. */
    private static Backend backend(io.fabric8.kubernetes.api.model.discovery.v1.Endpoint endpoint) {
        return new Backend(
                IpAddress.parse(text(endpoint.getAddresses().getFirst())),
                conditions(endpoint.getConditions()),
                text(endpoint.getNodeName()),
                pod(endpoint.getTargetRef()),
                hints(endpoint.getHints()));
    }

    /** What is not said is to be taken for ready, serving, and not terminating. */
    private static Conditions conditions(EndpointConditions conditions) {
        return conditions == null
                ? Conditions.READY
                : new Conditions(
                        !Boolean.FALSE.equals(conditions.getReady()),
                        !Boolean.FALSE.equals(conditions.getServing()),
                        Boolean.TRUE.equals(conditions.getTerminating()));
    }

    private static String pod(ObjectReference target) {
        return target != null && text(target.getKind()).equals("Pod")
                ? text(target.getNamespace()) + "/" + text(target.getName())
                : "";
    }

    private static Hints hints(EndpointHints hints) {
        if (hints == null) {
            return Hints.NONE;
        }
        return new Hints(
                list(hints.getForZones()).stream()
                        .map(ForZone::getName)
                        .map(KubernetesMapping::text)
                        .collect(Collectors.toSet()),
                list(hints.getForNodes()).stream()
                        .map(ForNode::getName)
                        .map(KubernetesMapping::text)
                        .collect(Collectors.toSet()));
    }

    private static Protocol protocol(String name) {
        return KubernetesMapping.protocol(name == null ? "TCP" : name);
    }

    private static int number(Integer value) {
        return value == null ? 0 : value;
    }
}
