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
     * What is bound now. What is as it was is the same object as before: a report of a thousand addresses is made
     * several times a second while pods come and go.
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
            Binding then = before.bindings.get(address);
            bindings.put(
                    address,
                    attachments
                            .apply(key)
                            .map(attachment -> says(then, key, attachment) ? then : of(address, attachment))
                            .orElseGet(() -> isUnknown(then, key) ? then : unknown(address, key, now)));
        });
        holdings.cooling().forEach((address, ago) -> {
            Binding then = before.bindings.get(address);
            Instant released = now.minus(ago);
            bindings.put(address, hasCooledSince(then, released) ? then : cooling(address, released));
        });
        return new BindingReport(bindings);
    }

    private static Binding of(IpAddress address, Attachment attachment) {
        return inUse(address, attachment.key())
                .setNetwork(attachment.network())
                .setPod(PodRef.newBuilder()
                        .setNamespace(attachment.pod().namespace())
                        .setName(attachment.pod().name())
                        .setUid(attachment.pod().uid()))
                .setSince(timestamp(attachment.since()))
                .build();
    }

    private static Binding unknown(IpAddress address, EndpointKey key, Instant since) {
        return inUse(address, key).setSince(timestamp(since)).build();
    }

    private static Binding.Builder inUse(IpAddress address, EndpointKey key) {
        return Binding.newBuilder()
                .setAddress(address.toString())
                .setContainerId(key.containerId())
                .setIfname(key.ifname())
                .setState(BindingState.BINDING_STATE_IN_USE);
    }

    private static Binding cooling(IpAddress address, Instant since) {
        return Binding.newBuilder()
                .setAddress(address.toString())
                .setState(BindingState.BINDING_STATE_COOLING)
                .setSince(timestamp(since))
                .build();
    }

    private static boolean says(Binding then, EndpointKey key, Attachment attachment) {
        return isOf(then, key)
                && then.getNetwork().equals(attachment.network())
                && then.getPod().getNamespace().equals(attachment.pod().namespace())
                && then.getPod().getName().equals(attachment.pod().name())
                && then.getPod().getUid().equals(attachment.pod().uid())
                && instant(then).equals(attachment.since());
    }

    private static boolean isUnknown(Binding then, EndpointKey key) {
        return isOf(then, key) && !then.hasPod();
    }

    private static boolean isOf(Binding then, EndpointKey key) {
        return then != null
                && then.getState() == BindingState.BINDING_STATE_IN_USE
                && then.getContainerId().equals(key.containerId())
                && then.getIfname().equals(key.ifname());
    }

    /** Two clocks are read, one after the other: a second apart is another release, or a calendar that was set. */
    private static boolean hasCooledSince(Binding then, Instant released) {
        return then != null
                && then.getState() == BindingState.BINDING_STATE_COOLING
                && Duration.between(instant(then), released).abs().compareTo(Duration.ofSeconds(1)) < 0;
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

    private static Instant instant(Binding then) {
        return Instant.ofEpochSecond(
                then.getSince().getSeconds(), then.getSince().getNanos());
    }

    private static Timestamp timestamp(Instant time) {
        return Timestamp.newBuilder()
                .setSeconds(time.getEpochSecond())
                .setNanos(time.getNano())
                .build();
    }
}
