package io.podwire.node.dataplane;

import io.podwire.common.net.IpFamily;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netns.Netns;
import io.podwire.node.plan.WiringMode;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Wires each pod as its attachment says.
 *
 * @param bridge for those on the bridge
 * @param routed for those with a link of their own
 * @param device for those on a device of the node
 */
public record Wirings(PodWiring bridge, PodWiring routed, PodWiring device) implements PodWiring {
    private PodWiring of(Attachment attachment) {
        return switch (attachment.mode()) {
            case WiringMode.Bridge _ -> bridge;
            case WiringMode.Routed _ -> routed;
            case WiringMode.Macvlan _, WiringMode.Ipvlan _, WiringMode.Vlan _ -> device;
        };
    }

    @Override
    public Attachment plan(Attachment asked) throws WiringException {
        return of(asked).plan(asked);
    }

    @Override
    public Set<IpFamily> attach(Attachment attachment, Entrance entrance) {
        return of(attachment).attach(attachment, entrance);
    }

    @Override
    public void detach(Attachment attachment) {
        of(attachment).detach(attachment);
    }

    @Override
    public boolean linked(Attachment attachment) {
        return of(attachment).linked(attachment);
    }

    @Override
    public Set<IpFamily> routed(Attachment attachment, Netns pod) {
        return of(attachment).routed(attachment, pod);
    }

    @Override
    public List<Finding> check(Attachment attachment, Netns pod, Set<IpFamily> given) {
        return of(attachment).check(attachment, pod, given);
    }

    @Override
    public List<Finding> audit(List<Attachment> attachments) {
        return Stream.of(bridge, routed, device)
                .flatMap(wiring ->
                        wiring
                                .audit(attachments.stream()
                                        .filter(a -> of(a).equals(wiring))
                                        .toList())
                                .stream())
                .toList();
    }
}
