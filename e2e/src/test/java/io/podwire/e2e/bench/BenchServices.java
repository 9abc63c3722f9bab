package io.podwire.e2e.bench;

import io.podwire.common.net.IpAddress;
import io.podwire.proto.common.v1.IpFamily;
import io.podwire.proto.common.v1.Protocol;
import io.podwire.proto.policy.v1.ServiceEndpoint;
import io.podwire.proto.policy.v1.ServicePort;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Services of a cluster, of one TCP port each.
 *
 * @param services how many
 * @param endpoints how many each has
 */
record BenchServices(int services, int endpoints) {
    static final int PORT = 80;
    static final int TARGET = 8080;
    /** Addresses of endpoints. */
    static final String ENDPOINTS = "10.128.0.0/10";
    /** Addresses of pods, of which those are a part. */
    static final String CLUSTER = "10.128.0.0/9";

    private static final int FIRST_SERVICE = 0x0a600001; // 10.96.0.1
    private static final int FIRST_ENDPOINT = 0x0a800001; // 10.128.0.1
    private static final int FIRST_NEW_ENDPOINT = 0x0ab00001; // 10.176.0.1

    /** In figures: "10k", and "1k-x-250" where it is not ten endpoints. */
    String label() {
        String count = services % 1000 == 0 ? services / 1000 + "k" : Integer.toString(services);
        return endpoints == 10 ? count : count + "-x-" + endpoints;
    }

    static IpAddress clusterIp(int service) {
        return IpAddress.ofV4(FIRST_SERVICE + service);
    }

    /** All of them. */
    List<ServicePort> ports() {
        return IntStream.range(0, services).mapToObj(this::port).toList();
    }

    private ServicePort port(int service) {
        ServicePort.Builder port = ServicePort.newBuilder()
                .setId("bench/service-" + service + ":http/ipv4")
                .setNamespace("bench")
                .setName("service-" + service)
                .setPortName("http")
                .setFamily(IpFamily.IP_FAMILY_IPV4)
                .setProtocol(Protocol.PROTOCOL_TCP)
                .setPort(PORT)
                .setClusterIp(clusterIp(service).toString())
                .setHasEndpoints(true);
        for (int i = 0; i < endpoints; i++) {
            port.addClusterEndpoints(endpoint(FIRST_ENDPOINT + service * endpoints + i));
        }
        return port.build();
    }

    /** The same with another first endpoint, one for each number. */
    ServicePort changed(ServicePort port, int number) {
        return port.toBuilder()
                .setClusterEndpoints(0, endpoint(FIRST_NEW_ENDPOINT + number))
                .build();
    }

    private static ServiceEndpoint endpoint(int address) {
        return ServiceEndpoint.newBuilder()
                .setAddress(IpAddress.ofV4(address).toString())
                .setPort(TARGET)
                .build();
    }
}
