package io.podwire.cli.lab;

import io.grpc.ManagedChannel;
import io.podwire.cli.Calls;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ListBlocksRequest;
import io.podwire.proto.policy.v1.GetRolloutRequest;
import io.podwire.proto.policy.v1.ListPoliciesRequest;
import io.podwire.proto.policy.v1.ListPoliciesResponse;
import io.podwire.proto.policy.v1.PoliciesGrpc;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import io.podwire.proto.policy.v1.Rollout;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** ipam-service, policy-service and route-reflector of a lab, in their own namespace. */
public final class ControlServices implements AutoCloseable {
    /** Where ipam-service serves gRPC. */
    public static final String IPAM = Topology.CONTROL_ADDRESS + ":7471";

    /** Where policy-service serves gRPC. */
    public static final String POLICY = Topology.CONTROL_ADDRESS + ":7472";

    /** Where route-reflector serves gRPC. */
    public static final String ROUTE = Topology.CONTROL_ADDRESS + ":7473";

    private static final int DEADLINE_SECONDS = 5;
    private static final int HTTP_TIMEOUT_MS = 2000;

    private final ServiceProcess ipam;
    private final ServiceProcess policy;
    private final ServiceProcess route;
    private final ManagedChannel ipamChannel;
    private final ManagedChannel policyChannel;

    ControlServices(Path home, Path lab, ManifestFolder manifests) throws IOException {
        ipam = service(
                home,
                lab,
                "ipam-service",
                List.of(IPAM, Topology.CONTROL_ADDRESS + ":7481"),
                List.of(
                        "--store",
                        "mvstore",
                        "--mvstore-file",
                        lab.resolve("ipam-service/store.mv").toString(),
                        "--pool",
                        "default=10.244.0.0/16/26"));
        policy = service(
                home,
                lab,
                "policy-service",
                List.of(POLICY, Topology.CONTROL_ADDRESS + ":7482"),
                List.of("--manifests", manifests.path().toString()));
        route = service(
                home,
                lab,
                "route-reflector",
                List.of(ROUTE, Topology.CONTROL_ADDRESS + ":7483"),
                List.of("--ipam-service", IPAM));
        ipamChannel = Calls.open("ipam-service", IPAM);
        policyChannel = Calls.open("policy-service", POLICY);
    }

    private static ServiceProcess service(Path home, Path lab, String name, List<String> listen, List<String> options)
            throws IOException {
        List<String> command = new ArrayList<>(List.of(
                home.resolve("bin").resolve(name).toString(),
                "--listen",
                listen.get(0),
                "--http-listen",
                listen.get(1)));
        command.addAll(options);
        return new ServiceProcess(name, lab.resolve(name), Underlay.CONTROL, command, true);
    }

    /** policy-service's process. */
    public ServiceProcess policy() {
        return policy;
    }

    /** Each process with the URL that answers 200 when it is ready. */
    Map<ServiceProcess, URI> processes() {
        return Map.of(ipam, readyz(7481), policy, readyz(7482), route, readyz(7483));
    }

    /** Blocks that nodes own. */
    public List<Block> blocks() {
        return BlocksGrpc.newBlockingStub(ipamChannel)
                .withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS)
                .listBlocks(ListBlocksRequest.getDefaultInstance())
                .getBlocksList();
    }

    /** Policies as policy-service has read them, and the revision of that. */
    public ListPoliciesResponse policies() {
        return PoliciesGrpc.newBlockingStub(policyChannel)
                .withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS)
                .listPolicies(ListPoliciesRequest.getDefaultInstance());
    }

    /** Which node enforces a revision, or the newest one for 0. */
    public Rollout rollout(long revision) {
        return ProgramsGrpc.newBlockingStub(policyChannel)
                .withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS)
                .getRollout(GetRolloutRequest.newBuilder().setRevision(revision).build());
    }

    /** What a readiness URL answers: "ok", what is waited for, or why there is no answer. */
    static String ready(URI url) {
        try {
            HttpURLConnection connection = (HttpURLConnection) url.toURL().openConnection();
            connection.setConnectTimeout(HTTP_TIMEOUT_MS);
            connection.setReadTimeout(HTTP_TIMEOUT_MS);
            boolean ok = connection.getResponseCode() == HttpURLConnection.HTTP_OK;
            try (var body = ok ? connection.getInputStream() : connection.getErrorStream()) {
                return body == null ? "no answer" : new String(body.readAllBytes(), StandardCharsets.UTF_8).strip();
            }
        } catch (IOException e) {
            return "not serving: " + e.getMessage();
        }
    }

    private static URI readyz(int port) {
        return URI.create("http://" + Topology.CONTROL_ADDRESS + ":" + port + "/readyz");
    }

    @Override
    public void close() {
        ipamChannel.shutdownNow();
        policyChannel.shutdownNow();
    }
}
