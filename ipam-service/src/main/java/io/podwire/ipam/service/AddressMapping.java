package io.podwire.ipam.service;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.binding.AddressState;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.AddressWish;
import io.podwire.ipam.core.ServiceOwner;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.core.Workload;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.ipam.v1.Address;
import io.podwire.proto.ipam.v1.ServiceRef;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/** Between addresses.proto and the values of single addresses. What comes in is checked here. */
final class AddressMapping {
    private static final int MOST_WISHES = 16;
    private static final int MOST_REPLICAS = 32;

    private AddressMapping() {}

    static AddressOwner owner(io.podwire.proto.ipam.v1.AddressOwner message) {
        return checked("owner", () -> {
            AddressOwner owner = new AddressOwner(
                    message.getId(),
                    message.getNode(),
                    message.getPod().getNamespace(),
                    message.getPod().getName());
            ServiceOwner.of(owner).ifPresent(service -> {
                throw new IllegalArgumentException("'" + owner.id() + "' is " + service
                        + ", which gets its addresses without being asked for; choose another id");
            });
            return owner;
        });
    }

    static List<AddressWish> wishes(List<io.podwire.proto.ipam.v1.AddressWish> messages) {
        if (messages.isEmpty() || messages.size() > MOST_WISHES) {
            throw BindingMapping.invalid("wishes: 1 to " + MOST_WISHES + ", got " + messages.size());
        }
        List<AddressWish> wishes = messages.stream().map(AddressMapping::wish).toList();
        Map<IpAddress, Integer> first = new HashMap<>();
        for (int i = 0; i < wishes.size(); i++) {
            if (wishes.get(i) instanceof AddressWish.This(IpAddress address, String _)) {
                Integer earlier = first.putIfAbsent(address, i);
                if (earlier != null) {
                    throw BindingMapping.invalid("wishes[" + earlier + "] and wishes[" + i + "]: both are for "
                            + address + "; an address is given once, wish for it once");
                }
            }
        }
        return wishes;
    }

    private static AddressWish wish(io.podwire.proto.ipam.v1.AddressWish message) {
        return checked("wishes", () -> switch (message.getWhichCase()) {
            case ADDRESS -> new AddressWish.This(IpAddress.parse(message.getAddress()), message.getPool());
            case FAMILY -> new AddressWish.Any(family(message), message.getPool());
            case WHICH_NOT_SET ->
                throw new IllegalArgumentException("each needs an `address` or a `family`, one has neither");
        });
    }

    private static IpFamily family(io.podwire.proto.ipam.v1.AddressWish message) {
        return switch (message.getFamily()) {
            case IP_FAMILY_IPV4 -> IpFamily.V4;
            case IP_FAMILY_IPV6 -> IpFamily.V6;
            case IP_FAMILY_UNSPECIFIED, UNRECOGNIZED ->
                throw new IllegalArgumentException(
                        "family must be 4 (IPv4) or 6 (IPv6), got " + message.getFamilyValue());
        };
    }

    /** What each replica of a workload is to get: no address is of two. */
    static List<AddressWish.Any> anyOf(List<io.podwire.proto.ipam.v1.AddressWish> messages) {
        List<AddressWish> wishes = wishes(messages);
        List<AddressWish.Any> any = wishes.stream()
                .filter(AddressWish.Any.class::isInstance)
                .map(AddressWish.Any.class::cast)
                .toList();
        if (any.size() < wishes.size() || any.size() > 2) {
            throw BindingMapping.invalid("wishes: of a reservation are 1 or 2 with a `family` each");
        }
        if (any.size() == 2 && any.get(0).family() == any.get(1).family()) {
            throw BindingMapping.invalid("wishes: of a reservation have a family each, both have "
                    + any.get(0).family().label());
        }
        return any;
    }

    static Workload workload(io.podwire.proto.ipam.v1.Workload message) {
        return checked("workload", () -> new Workload(message.getNamespace(), message.getName(), message.getOrdinal()));
    }

    static List<Workload> replicas(io.podwire.proto.ipam.v1.Workload first, int count) {
        if (count < 1 || count > MOST_REPLICAS) {
            throw BindingMapping.invalid("count: 1 to " + MOST_REPLICAS + ", got " + Integer.toUnsignedString(count)
                    + "; ask several times");
        }
        Workload from = workload(first);
        return checked(
                "first",
                () -> IntStream.range(0, count)
                        .mapToObj(i -> new Workload(from.namespace(), from.name(), Math.addExact(from.ordinal(), i)))
                        .toList());
    }

    static List<IpAddress> addresses(List<String> texts) {
        return texts.stream()
                .map(text -> BindingMapping.address("addresses", text))
                .toList();
    }

    private static <T> T checked(String field, Supplier<T> reader) {
        try {
            return reader.get();
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw new ServiceException(ErrorReason.INVALID_ARGUMENT, field + ": " + e.getMessage(), e);
        }
    }

    static Address toProto(SingleAddress single, int blockLength) {
        Address.Builder message = Address.newBuilder()
                .setAddress(single.address().toString())
                .setState(BindingMapping.toProto(
                        switch (single.use()) {
                            case AddressUse.InUse _ -> AddressState.IN_USE;
                            case AddressUse.Cooling _ -> AddressState.COOLING;
                            case AddressUse.Reserved _ -> AddressState.RESERVED;
                        }))
                .setPool(single.pool())
                .setBlock(IpPrefix.containing(single.address(), blockLength).toString())
                .setSince(BindingMapping.timestamp(single.since()));
        tell(single, message);
        return message.build();
    }

    /** What only a single address has. Of the pod a node's report tells more. */
    static void tell(SingleAddress single, Address.Builder message) {
        Optional<AddressOwner> owner = single.use().user();
        owner.ifPresent(user -> {
            message.setOwnerId(user.id());
            Optional<ServiceOwner> service = ServiceOwner.of(user);
            service.ifPresent(of -> message.clearPod()
                    .setService(ServiceRef.newBuilder()
                            .setNamespace(of.namespace())
                            .setName(of.name())
                            .setUid(of.uid())));
            if (service.isEmpty() && message.getContainerId().isEmpty()) {
                message.setPod(
                        PodRef.newBuilder().setNamespace(user.namespace()).setName(user.pod()));
            }
            if (!user.node().isEmpty()) {
                message.setNode(user.node());
            }
        });
        single.use()
                .reserved()
                .ifPresent(workload -> message.setReservedFor(io.podwire.proto.ipam.v1.Workload.newBuilder()
                        .setNamespace(workload.namespace())
                        .setName(workload.name())
                        .setOrdinal(workload.ordinal())));
    }
}
