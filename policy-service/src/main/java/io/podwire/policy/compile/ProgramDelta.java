package io.podwire.policy.compile;

import io.podwire.common.net.IpPrefix;
import io.podwire.policy.model.PodKey;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What leads from one program to another: sets first, then endpoints, removals last.
 *
 * @param endpoints new or changed, whole
 * @param removedEndpoints keys
 * @param addressSets new or changed
 * @param removedAddressSets ids
 * @param expected expected pods new or changed, whole
 * @param removedExpected pods that are not expected any more
 */
public record ProgramDelta(
        List<EndpointPolicy> endpoints,
        List<String> removedEndpoints,
        List<AddressSetDelta> addressSets,
        List<String> removedAddressSets,
        List<ExpectedPod> expected,
        List<PodKey> removedExpected) {

    /** Copies the lists. */
    public ProgramDelta {
        endpoints = List.copyOf(endpoints);
        removedEndpoints = List.copyOf(removedEndpoints);
        addressSets = List.copyOf(addressSets);
        removedAddressSets = List.copyOf(removedAddressSets);
        expected = List.copyOf(expected);
        removedExpected = List.copyOf(removedExpected);
    }

    /** The program after this change of {@code program}. */
    public NodeProgram applyTo(NodeProgram program) {
        var sets = new TreeMap<>(program.addressSets());
        for (AddressSetDelta delta : addressSets) {
            AddressSet before = sets.get(delta.id());
            var cidrs = new TreeSet<IpPrefix>(before == null ? List.of() : before.cidrs());
            delta.removed().forEach(cidrs::remove);
            cidrs.addAll(delta.added());
            sets.put(delta.id(), new AddressSet(delta.id(), delta.description(), List.copyOf(cidrs)));
        }
        removedAddressSets.forEach(sets::remove);
        var policies = new TreeMap<>(program.endpoints());
        endpoints.forEach(endpoint -> policies.put(endpoint.key(), endpoint));
        removedEndpoints.forEach(policies::remove);
        var pods = new TreeMap<>(program.expected());
        expected.forEach(pod -> pods.put(pod.pod(), pod));
        removedExpected.forEach(pods::remove);
        return new NodeProgram(policies, sets, pods);
    }
}
