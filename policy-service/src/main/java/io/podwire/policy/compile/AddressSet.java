package io.podwire.policy.compile;

import com.google.common.hash.Hashing;
import io.podwire.common.net.IpPrefix;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;

/**
 * A named set of addresses of either family.
 *
 * @param id stable: the same definition gives the same id, in every policy and every process
 * @param description what it stands for, for people, at most 128 characters
 * @param cidrs members, not overlapping, sorted, those of IPv4 first
 */
public record AddressSet(String id, String description, List<IpPrefix> cidrs) {
    private static final int MAX_DESCRIPTION = 128;
    /** 128 bits: nobody finds two definitions of one id, which would merge the sets. */
    private static final int ID_HEX_DIGITS = 32;

    /** Copies the list. */
    public AddressSet {
        cidrs = List.copyOf(cidrs);
    }

    /** A set named after its definition. */
    static AddressSet of(String definition, List<IpPrefix> cidrs) {
        String hash = Hashing.sha256()
                .hashString(definition, StandardCharsets.UTF_8)
                .toString()
                .substring(0, ID_HEX_DIGITS);
        return new AddressSet(hash, definition.substring(0, Math.min(definition.length(), MAX_DESCRIPTION)), cidrs);
    }

    /** Sizes first: sets are long, and one that a pod came to or left has another. */
    @Override
    public boolean equals(Object other) {
        return this == other
                || (other instanceof AddressSet(String otherId, String otherDescription, List<IpPrefix> otherCidrs)
                        && cidrs.size() == otherCidrs.size()
                        && id.equals(otherId)
                        && description.equals(otherDescription)
                        && cidrs.equals(otherCidrs));
    }

    @Override
    public int hashCode() {
        return Objects.hash(id, description, cidrs);
    }
}
