package io.podwire.cli.conformance;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import java.util.Optional;

/**
 * An address with the length of its network, as results and interfaces have it.
 *
 * @param length 0 to 32, or to 128
 */
record Cidr(IpAddress address, int length) {
    /** Reads {@code 10.1.2.3/16}; empty when it is something else. */
    static Optional<Cidr> of(String text) {
        int slash = text.indexOf('/');
        if (slash < 0 || !text.substring(slash + 1).matches("[0-9]{1,3}")) {
            return Optional.empty();
        }
        int length = Integer.parseInt(text.substring(slash + 1));
        return address(text.substring(0, slash))
                .filter(address -> length <= (address.family() == IpFamily.V4 ? 32 : 128))
                .map(address -> new Cidr(address, length));
    }

    /** Reads an address; empty when it is something else. */
    static Optional<IpAddress> address(String text) {
        try {
            return Optional.of(IpAddress.parse(text));
        } catch (IllegalArgumentException _) {
            return Optional.empty();
        }
    }

    /** As in a result. */
    @Override
    public String toString() {
        return address + "/" + length;
    }
}
