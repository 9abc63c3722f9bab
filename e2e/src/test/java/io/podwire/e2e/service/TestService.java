package io.podwire.e2e.service;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A Service and its EndpointSlices, as the API server and its controllers would have them.
 *
 * @param ips its cluster IPs, none or one of each family
 * @param fields further ones of its spec in YAML's flow style, without braces
 * @param labels of Service and slices in the same style
 * @param ingress addresses that its load balancer has
 */
record TestService(
        String name,
        String type,
        List<String> ips,
        List<Port> ports,
        List<Backends> backends,
        String fields,
        String labels,
        List<String> ingress) {
    static final String NAMESPACE = "services";

    /** nodePort 0: none. */
    record Port(String name, String protocol, int number, int nodePort) {}

    /** What an endpoint's conditions say. */
    enum State {
        READY(true, true, false),
        UNREADY(false, false, false),
        /** Terminating, and its readiness probe succeeds. */
        TERMINATING(false, true, true),
        /** Terminating, and published although not ready. */
        PUBLISHED_TERMINATING(true, true, true),
        ENDED(false, false, true);

        private final String conditions;

        State(boolean ready, boolean serving, boolean terminating) {
            conditions = "{ready: " + ready + ", serving: " + serving + ", terminating: " + terminating + "}";
        }
    }

    record Backend(ServerPod pod, State state) {}

    /** Endpoints that have the same target ports: one for each port of the service, in their order. */
    record Backends(List<Backend> endpoints, List<Integer> targets) {
        Backends {
            endpoints = List.copyOf(endpoints);
            targets = List.copyOf(targets);
        }
    }

    TestService {
        ips = List.copyOf(ips);
        ports = List.copyOf(ports);
        backends = List.copyOf(backends);
        ingress = List.copyOf(ingress);
    }

    /** One of type ClusterIP without ports and endpoints. */
    static TestService of(String name, String... ips) {
        return new TestService(name, "ClusterIP", List.of(ips), List.of(), List.of(), "", "", List.of());
    }

    /** Of another type; ExternalName has no cluster IP. */
    TestService type(String type) {
        return new TestService(name, type, ips, ports, backends, fields, labels, ingress);
    }

    /** With a port more. */
    TestService port(String name, String protocol, int number) {
        return port(name, protocol, number, 0);
    }

    /** With a port more that has a node port. */
    TestService port(String portName, String protocol, int number, int nodePort) {
        List<Port> all = new ArrayList<>(ports);
        all.add(new Port(portName, protocol, number, nodePort));
        return new TestService(name, type, ips, all, backends, fields, labels, ingress);
    }

    /** Without ports and endpoints. */
    TestService noPorts() {
        return new TestService(name, type, ips, List.of(), List.of(), fields, labels, ingress);
    }

    /** With ready endpoints more, each port of the service at one of these. */
    TestService to(List<Integer> targets, ServerPod... pods) {
        return to(targets, State.READY, pods);
    }

    /** With endpoints more. */
    TestService to(List<Integer> targets, State state, ServerPod... pods) {
        List<Backends> all = new ArrayList<>(backends);
        all.add(new Backends(Stream.of(pods).map(pod -> new Backend(pod, state)).toList(), targets));
        return new TestService(name, type, ips, ports, all, fields, labels, ingress);
    }

    /** Without endpoints. */
    TestService noBackends() {
        return new TestService(name, type, ips, ports, List.of(), fields, labels, ingress);
    }

    /** With such fields in the place of the earlier ones. */
    TestService with(String otherFields) {
        return new TestService(name, type, ips, ports, backends, otherFields, labels, ingress);
    }

    /** With such labels. */
    TestService labels(String otherLabels) {
        return new TestService(name, type, ips, ports, backends, fields, otherLabels, ingress);
    }

    /** With addresses of a load balancer. */
    TestService ingress(String... addresses) {
        return new TestService(name, type, ips, ports, backends, fields, labels, List.of(addresses));
    }

    /** All of its objects. */
    String yaml() {
        StringBuilder out = new StringBuilder("""
                ---
                apiVersion: v1
                kind: Service
                metadata: {namespace: %s, name: %s, labels: {%s}}
                spec: {type: %s%s%s, ports: [%s]}
                status: {loadBalancer: {%s}}
                """.formatted(
                        NAMESPACE,
                        name,
                        labels,
                        type,
                        addresses(),
                        fields.isEmpty() ? "" : ", " + fields,
                        ports.stream().map(TestService::yaml).collect(Collectors.joining(", ")),
                        ingress.isEmpty()
                                ? ""
                                : "ingress: ["
                                        + ingress.stream()
                                                .map(ip -> "{ip: '" + ip + "', ipMode: VIP}")
                                                .collect(Collectors.joining(", "))
                                        + "]"));
        if (!type.equals("ExternalName")) {
            for (boolean six : families()) {
                for (int i = 0; i < backends.size(); i++) {
                    out.append(slice(six, i));
                }
            }
        }
        return out.toString();
    }

    private List<Boolean> families() {
        return ips.stream().map(ip -> ip.contains(":")).toList();
    }

    private String addresses() {
        if (type.equals("ExternalName")) {
            return ", externalName: example.com";
        }
        String all = ips.stream().map(ip -> "'" + ip + "'").collect(Collectors.joining(", "));
        String families = families().stream().map(six -> six ? "IPv6" : "IPv4").collect(Collectors.joining(", "));
        return ", clusterIP: '" + ips.getFirst() + "', clusterIPs: [" + all + "], ipFamilies: [" + families + "]";
    }

    private static String yaml(Port port) {
        return "{name: '" + port.name() + "', protocol: " + port.protocol() + ", port: " + port.number()
                + (port.nodePort() == 0 ? "" : ", nodePort: " + port.nodePort()) + "}";
    }

    private String slice(boolean six, int index) {
        Backends group = backends.get(index);
        String family = six ? "IPv6" : "IPv4";
        String targets = IntStream.range(0, ports.size())
                .mapToObj(i -> "{name: '" + ports.get(i).name() + "', protocol: "
                        + ports.get(i).protocol() + ", port: " + group.targets().get(i) + "}")
                .collect(Collectors.joining(", "));
        StringBuilder out = new StringBuilder("""
                ---
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                metadata: {namespace: %s, name: %s-%s-%d, labels: {kubernetes.io/service-name: %s%s}}
                addressType: %s
                ports: [%s]
                endpoints:
                """.formatted(
                        NAMESPACE,
                        name,
                        family.toLowerCase(Locale.ROOT),
                        index,
                        name,
                        labels.isEmpty() ? "" : ", " + labels,
                        family,
                        targets));
        for (Backend backend : group.endpoints()) {
            out.append("""
                    - {addresses: ['%s'], conditions: %s, nodeName: %s, zone: %s, targetRef: {kind: Pod, namespace: %s, name: %s}}
                    """.formatted(
                            backend.pod().address(six),
                            backend.state().conditions,
                            backend.pod().node(),
                            ServiceWorld.ZONE,
                            NAMESPACE,
                            backend.pod().name()));
        }
        return group.endpoints().isEmpty() ? "" : out.toString();
    }
}
