package io.podwire.ipam.audit;

import io.podwire.common.net.IpPrefix;
import java.util.Comparator;
import java.util.Optional;

/**
 * One difference between what should be and what is.
 *
 * @param kind what is wrong
 * @param object address, block or request id
 * @param place where that is; empty for a request
 * @param pool that it lies in, or that its record names; empty: none
 * @param who it is about
 * @param since tells this one from a later one of the same object, such as the moment of the allocation
 * @param detail what is wrong, one sentence, one line
 * @param repair what can be done
 */
public record Finding(
        FindingKind kind,
        String object,
        Optional<IpPrefix> place,
        String pool,
        Who who,
        String since,
        String detail,
        Repair repair)
        implements Comparable<Finding> {
    private static final Comparator<Finding> ORDER = Comparator.comparing(Finding::kind)
            .thenComparing(finding -> finding.place().orElse(null), Comparator.nullsLast(Comparator.naturalOrder()))
            .thenComparing(Finding::object)
            .thenComparing(finding -> finding.who().node())
            .thenComparing(finding -> finding.identity().toString());

    /** What a node sent stands in it: it stays one line. */
    public Finding {
        detail = detail.replaceAll("\\p{Cntrl}", "?");
    }

    /**
     * Whom a finding is about; what is not known is empty.
     *
     * @param node name of a node
     * @param namespace of a pod
     * @param pod its name
     * @param ownerId of a single address
     */
    public record Who(String node, String namespace, String pod, String ownerId) {
        /** Nobody is known. */
        static final Who NOBODY = new Who("", "", "", "");
    }

    /** What makes it the same finding at two looks. */
    public record Identity(FindingKind kind, String object, Who who, String since) {}

    /** What makes it the same finding at two looks. */
    public Identity identity() {
        return new Identity(kind, object, who, since);
    }

    /** By kind, then address, then node. */
    @Override
    public int compareTo(Finding other) {
        return ORDER.compare(this, other);
    }
}
