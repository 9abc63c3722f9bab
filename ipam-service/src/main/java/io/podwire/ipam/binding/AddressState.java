package io.podwire.ipam.binding;

/** What an address is to the cluster. */
public enum AddressState {
    /** A container has it. */
    IN_USE,
    /** It was released a moment ago. */
    COOLING,
    /** In a reserved range of its pool, or reserved for a workload. */
    RESERVED,
    /** Nobody has it. */
    FREE,
    /** In a block whose owner has not reported: it may be in use. */
    UNKNOWN;

    static AddressState of(Binding.State state) {
        return switch (state) {
            case IN_USE -> IN_USE;
            case COOLING -> COOLING;
            case RESERVED -> RESERVED;
        };
    }
}
