package io.podwire.ipam.core;

import java.util.Optional;

/** What became of a single address. One that is free has no record. */
public sealed interface AddressUse {
    /** Somebody has it. */
    record InUse(AddressOwner owner, Optional<Workload> reservedFor) implements AddressUse {}

    /** It was released: nobody gets it before its pool's cool-down is over. */
    record Cooling() implements AddressUse {}

    /** Nobody has it, and only this workload gets it. */
    record Reserved(Workload workload) implements AddressUse {}

    /** Who has it. */
    default Optional<AddressOwner> user() {
        return this instanceof InUse(AddressOwner owner, Optional<Workload> _) ? Optional.of(owner) : Optional.empty();
    }

    /** The namespace that has it: its owner's, or else that of the workload it is reserved for. Empty: none, or not in use. */
    default String namespace() {
        return user().map(AddressOwner::namespace)
                .filter(of -> !of.isEmpty())
                .or(() -> user().flatMap(_ -> reserved()).map(Workload::namespace))
                .orElse("");
    }

    /** Whom it is reserved for, in use or not. */
    default Optional<Workload> reserved() {
        return switch (this) {
            case InUse(AddressOwner _, Optional<Workload> workload) -> workload;
            case Reserved(Workload workload) -> Optional.of(workload);
            case Cooling _ -> Optional.empty();
        };
    }
}
