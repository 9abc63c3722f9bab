package io.podwire.node.upstream;

import com.google.protobuf.Timestamp;
import io.podwire.common.net.IpAddress;
import io.podwire.node.address.Holdings;
import io.podwire.node.journal.Attachment;
import io.podwire.node.plan.EndpointKey;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.ipam.v1.Binding;
import io.podwire.proto.ipam.v1.BindingDelta;
import io.podwire.proto.ipam.v1.BindingState;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * What a node tells ipam-service of its addresses, at one moment. Pure: times are arguments.
 *
 * @param bindings by address
 */
record BindingReport(SortedMap<IpAddress, Binding> bindings) {
    /** Nothing is bound. */
    static final BindingReport EMPTY = new BindingReport(new TreeMap<>());

    /** Copies. */
    BindingReport {
        bindings = Collections.unmodifiableSortedMap(new TreeMap<>(bindings));
    }

    /**
     * What is bound now.
     *
     * @param holdings of the address book: the truth of what can be given to nobody
     * @param attachments knows more of who has an address; nothing of an ADD that has only begun
     * @param before the report before this one: what cools down, or has no attachment, keeps its time
     * @param now the calendar's time
     */
    static BindingReport of(
            Holdings<EndpointKey> holdings,
            Function<EndpointKey, Optional<Attachment>> attachments,
            BindingReport before,
            Instant now) {
        TreeMap<IpAddress, Binding> bindings = new TreeMap<>();
        holdings.held().forEach((address, key) -> {
            Binding.Builder binding = Binding.newBuilder()
                    .setAddress(address.toString())
                    .setContainerId(key.containerId())
                    .setIfname(key.ifname())
                    .setState(BindingState.BINDING_STATE_IN_USE);
            attachments
                    .apply(key)
                    .ifPresentOrElse(
                            attachment -> binding.setNetwork(attachment.network())
                                    .setPod(PodRef.newBuilder()
                                            .setNamespace(attachment.pod().namespace())
                                            .setName(attachment.pod().name())
                                            .setUid(attachment.pod().uid()))
                                    .setSince(timestamp(attachment.since())),
                            () -> binding.setSince(
                                    before.sinceOf(address, binding).orElse(timestamp(now))));
            bindings.put(address, binding.build());
        });
        holdings.cooling().forEach((address, ago) -> {
            Binding.Builder binding =
                    Binding.newBuilder().setAddress(address.toString()).setState(BindingState.BINDING_STATE_COOLING);
            bindings.put(
                    address,
                    binding.setSince(before.sinceOf(address, binding)
                                    .filter(then -> isAbout(then, now.minus(ago)))
                                    .orElse(timestamp(now.minus(ago))))
                            .build());
        });
        return new BindingReport(bindings);
    }

    /** Two clocks are read, one after the other: a second apart is another release, or a calendar that was set. */
    private static boolean isAbout(Timestamp then, Instant time) {
        Duration apart = Duration.between(Instant.ofEpochSecond(then.getSeconds(), then.getNanos()), time);
        return apart.abs().compareTo(Duration.ofSeconds(1)) < 0;
    }

    /** The time that an address had in this report, where it was the same thing. */
    private Optional<Timestamp> sinceOf(IpAddress address, Binding.Builder now) {
        return Optional.ofNullable(bindings.get(address))
                .filter(then -> then.getState() == now.getState()
                        && then.getContainerId().equals(now.getContainerId())
                        && then.getIfname().equals(now.getIfname()))
                .map(Binding::getSince);
    }

    /** What has to change of an earlier report to make it this one. */
    BindingDelta since(BindingReport earlier) {
        BindingDelta.Builder delta = BindingDelta.newBuilder();
        bindings.forEach((address, binding) -> {
            if (!binding.equals(earlier.bindings.get(address))) {
                delta.addUpdated(binding);
            }
        });
        earlier.bindings.keySet().stream()
                .filter(address -> !bindings.containsKey(address))
                .forEach(address -> delta.addRemoved(address.toString()));
        return delta.build();
    }

    private static Timestamp timestamp(Instant time) {
        return Timestamp.newBuilder()
                .setSeconds(time.getEpochSecond())
                .setNanos(time.getNano())
                .build();
    }
}
