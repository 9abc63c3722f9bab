package io.podwire.ipam.service;

import com.google.protobuf.Timestamp;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.binding.AddressEntry;
import io.podwire.ipam.binding.AddressQuery;
import io.podwire.ipam.binding.AddressState;
import io.podwire.ipam.binding.Binding;
import io.podwire.ipam.binding.Binding.Holder;
import io.podwire.ipam.binding.Places;
import io.podwire.ipam.binding.SingleReport;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.ipam.v1.Address;
import io.podwire.proto.ipam.v1.FindingCount;
import io.podwire.proto.ipam.v1.FullNamespaces;
import io.podwire.proto.ipam.v1.ListAddressesRequest;
import io.podwire.proto.ipam.v1.NodeAudit;
import io.podwire.proto.ipam.v1.Reported;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Pattern;

/**
 * Between bindings.proto and addresses.proto and the values of bindings. What comes in is checked here: a failure is an
 * INVALID_ARGUMENT whose message begins with the field's name.
 */
final class BindingMapping {
    /** The protocol level spoken, and the lowest one understood. */
    static final int PROTOCOL = 1;

    static final int MOST_BINDINGS = 10_000;
    private static final int LONGEST_TEXT = 256;
    private static final int LONGEST_IFNAME = 15;
    private static final int MOST_KINDS = 32;
    private static final Pattern KIND = Pattern.compile("[a-z0-9-]{1,64}");

    private BindingMapping() {}

    static List<Binding> bindings(List<io.podwire.proto.ipam.v1.Binding> messages) {
        if (messages.size() > MOST_BINDINGS) {
            throw invalid("bindings: at most " + MOST_BINDINGS + ", got " + messages.size());
        }
        return messages.stream().map(BindingMapping::binding).toList();
    }

    static Binding binding(io.podwire.proto.ipam.v1.Binding message) {
        IpAddress address = address("address", message.getAddress());
        return switch (message.getState()) {
            case BINDING_STATE_IN_USE ->
                new Binding(address, Binding.State.IN_USE, holder(message), since(message.getSince()));
            case BINDING_STATE_COOLING ->
                new Binding(address, Binding.State.COOLING, Holder.NOBODY, since(message.getSince()));
            case BINDING_STATE_UNSPECIFIED, UNRECOGNIZED ->
                throw invalid(
                        "state: of " + address + " must be 1 (IN_USE) or 2 (COOLING), got " + message.getStateValue());
        };
    }

    /** What thousands of pods share is kept once: a binding's memory is its container's id, its pod's name and uid. */
    private static Holder holder(io.podwire.proto.ipam.v1.Binding message) {
        PodRef pod = message.getPod();
        return new Holder(
                text("container_id", message.getContainerId(), LONGEST_TEXT),
                text("ifname", message.getIfname(), LONGEST_IFNAME).intern(),
                text("pod.namespace", pod.getNamespace(), LONGEST_TEXT).intern(),
                text("pod.name", pod.getName(), LONGEST_TEXT),
                text("pod.uid", pod.getUid(), LONGEST_TEXT),
                text("network", message.getNetwork(), LONGEST_TEXT).intern());
    }

    private static String text(String field, String value, int longest) {
        if (value.length() > longest) {
            throw invalid(field + ": at most " + longest + " characters, got " + value.length());
        }
        return value;
    }

    private static Instant since(Timestamp message) {
        try {
            return Instant.ofEpochSecond(message.getSeconds(), message.getNanos());
        } catch (DateTimeException | ArithmeticException e) {
            throw new ServiceException(ErrorReason.INVALID_ARGUMENT, "since: " + e.getMessage(), e);
        }
    }

    /** Of a node's own audit, by kind of object. */
    static Map<String, Integer> findings(NodeAudit message) {
        if (message.getFindingsCount() > MOST_KINDS) {
            throw invalid("audit.findings: at most " + MOST_KINDS + " kinds, got " + message.getFindingsCount());
        }
        Map<String, Integer> findings = new HashMap<>();
        for (FindingCount finding : message.getFindingsList()) {
            if (!KIND.matcher(finding.getObject()).matches()) {
                throw invalid("audit.findings.object: must be 1 to 64 characters of [a-z0-9-]");
            }
            if (finding.getCount() <= 0) {
                throw invalid("audit.findings.count: of " + finding.getObject() + " must be 1 to 2^31 - 1, got "
                        + Integer.toUnsignedString(finding.getCount()));
            }
            findings.put(finding.getObject(), finding.getCount());
        }
        return findings;
    }

    static List<IpAddress> removed(List<String> texts) {
        return texts.stream().map(text -> address("removed", text)).toList();
    }

    static AddressQuery query(ListAddressesRequest message) {
        Optional<IpAddress> exact = optional(message.getAddress(), text -> address("address", text));
        Optional<IpPrefix> prefix = optional(message.getPrefix(), text -> parse("prefix", text, IpPrefix::parse));
        String pod = message.getPod();
        int slash = pod.indexOf('/');
        if (!pod.isEmpty() && (slash <= 0 || slash == pod.length() - 1)) {
            throw invalid("pod: must be NAMESPACE/NAME, got '" + pod + "'");
        }
        String namespace = pod.isEmpty() ? message.getNamespace() : pod.substring(0, slash);
        if (!message.getNamespace().isEmpty() && !message.getNamespace().equals(namespace)) {
            throw invalid("namespace: '" + message.getNamespace() + "' is not that of pod '" + pod + "'");
        }
        return new AddressQuery(
                states(message, exact.isPresent()),
                optional(message.getPool(), IpamMapping::poolName).orElse(""),
                optional(message.getNode(), IpamMapping::nodeName),
                namespace,
                pod.isEmpty() ? "" : pod.substring(slash + 1),
                prefix,
                exact);
    }

    private static Set<AddressState> states(ListAddressesRequest message, boolean exact) {
        if (message.getStatesCount() == 0) {
            return exact ? EnumSet.allOf(AddressState.class) : EnumSet.of(AddressState.IN_USE, AddressState.COOLING);
        }
        Set<AddressState> states = EnumSet.noneOf(AddressState.class);
        for (int i = 0; i < message.getStatesCount(); i++) {
            states.add(
                    switch (message.getStates(i)) {
                        case ADDRESS_STATE_IN_USE -> AddressState.IN_USE;
                        case ADDRESS_STATE_COOLING -> AddressState.COOLING;
                        case ADDRESS_STATE_RESERVED -> AddressState.RESERVED;
                        case ADDRESS_STATE_FREE -> AddressState.FREE;
                        case ADDRESS_STATE_UNKNOWN -> AddressState.UNKNOWN;
                        case ADDRESS_STATE_UNSPECIFIED, UNRECOGNIZED ->
                            throw invalid("states: must be 1 (IN_USE), 2 (COOLING), 3 (RESERVED), 4 (FREE) or"
                                    + " 5 (UNKNOWN), got " + message.getStatesValue(i));
                    });
        }
        return states;
    }

    /** The place that a page token, ADDRESS/NODE, names. */
    static Optional<AddressEntry.Place> after(String token) {
        if (token.isEmpty()) {
            return Optional.empty();
        }
        int slash = token.indexOf('/');
        if (slash < 0) {
            throw invalid("page_token: '" + token + "' is none of this list; start without one");
        }
        return Optional.of(
                new AddressEntry.Place(address("page_token", token.substring(0, slash)), token.substring(slash + 1)));
    }

    static String token(AddressEntry.Place last) {
        return last.address() + "/" + last.node();
    }

    static Address toProto(AddressEntry entry, Ledger ledger, Places places, Duration now) {
        Optional<SingleAddress> single = SingleReport.single(ledger, entry);
        Address.Builder message = Address.newBuilder()
                .setAddress(entry.address().toString())
                .setState(toProto(entry.state()))
                .setOutsideOwnBlock(single.isEmpty() && entry.outsideOwnBlock(places));
        places.pool(entry.address()).ifPresent(pool -> message.setPool(pool.name()));
        entry.block(places).ifPresent(block -> message.setBlock(block.toString()));
        entry.node().ifPresent(node -> message.setNode(node.value()));
        entry.report().ifPresent(report -> {
            Duration age = now.minus(report.at());
            message.setReported(Reported.newBuilder()
                    .setConnected(report.connected())
                    .setAge(com.google.protobuf.Duration.newBuilder()
                            .setSeconds(age.toSeconds())
                            .setNanos(age.toNanosPart())));
        });
        entry.binding().ifPresent(binding -> {
            Holder holder = binding.holder();
            message.setContainerId(holder.containerId())
                    .setIfname(holder.ifname())
                    .setNetwork(holder.network())
                    .setPod(PodRef.newBuilder()
                            .setNamespace(holder.namespace())
                            .setName(holder.pod())
                            .setUid(holder.uid()))
                    .setSince(timestamp(binding.since()));
        });
        single.ifPresent(known -> AddressMapping.tell(known, message));
        return message.build();
    }

    static Timestamp timestamp(Instant time) {
        return Timestamp.newBuilder()
                .setSeconds(time.getEpochSecond())
                .setNanos(time.getNano())
                .build();
    }

    static io.podwire.proto.ipam.v1.AddressState toProto(AddressState state) {
        return switch (state) {
            case IN_USE -> io.podwire.proto.ipam.v1.AddressState.ADDRESS_STATE_IN_USE;
            case COOLING -> io.podwire.proto.ipam.v1.AddressState.ADDRESS_STATE_COOLING;
            case RESERVED -> io.podwire.proto.ipam.v1.AddressState.ADDRESS_STATE_RESERVED;
            case FREE -> io.podwire.proto.ipam.v1.AddressState.ADDRESS_STATE_FREE;
            case UNKNOWN -> io.podwire.proto.ipam.v1.AddressState.ADDRESS_STATE_UNKNOWN;
        };
    }

    static FullNamespaces toProto(List<String> full) {
        return FullNamespaces.newBuilder().addAllNamespaces(full).build();
    }

    private static <T> Optional<T> optional(String text, Function<String, T> reader) {
        return text.isEmpty() ? Optional.empty() : Optional.of(reader.apply(text));
    }

    static IpAddress address(String field, String text) {
        return parse(field, text, IpAddress::parse);
    }

    /** Reads one field; its name is put before the reader's own message. */
    private static <T> T parse(String field, String text, Function<String, T> reader) {
        try {
            return reader.apply(text);
        } catch (IllegalArgumentException e) {
            throw new ServiceException(ErrorReason.INVALID_ARGUMENT, field + ": " + e.getMessage(), e);
        }
    }

    static ServiceException invalid(String message) {
        return new ServiceException(ErrorReason.INVALID_ARGUMENT, message);
    }
}
