package io.podwire.common.service;

import com.google.common.hash.Hashing;
import io.podwire.proto.policy.v1.AddressSet;
import io.podwire.proto.policy.v1.EndpointPolicy;
import io.podwire.proto.policy.v1.ExpectedPod;
import io.podwire.proto.policy.v1.Program;
import java.util.Comparator;

/** By what policy-service and a node know that they mean the same program: Hello.program_sha256. */
public final class ProgramHash {
    private static final Comparator<ExpectedPod> BY_POD = Comparator.comparing(
                    (ExpectedPod pod) -> pod.getPod().getNamespace())
            .thenComparing(pod -> pod.getPod().getName());

    private ProgramHash() {}

    /** 64 hexadecimal digits; neither the order of a program's parts nor its revision matters. */
    public static String of(Program program) {
        Program canonical = Program.newBuilder()
                .addAllEndpoints(program.getEndpointsList().stream()
                        .sorted(Comparator.comparing(EndpointPolicy::getKey))
                        .toList())
                .addAllAddressSets(program.getAddressSetsList().stream()
                        .sorted(Comparator.comparing(AddressSet::getId))
                        .toList())
                .addAllExpectedPods(
                        program.getExpectedPodsList().stream().sorted(BY_POD).toList())
                .build();
        return Hashing.sha256().hashBytes(canonical.toByteArray()).toString();
    }
}
