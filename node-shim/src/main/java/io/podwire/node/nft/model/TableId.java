package io.podwire.node.nft.model;

import java.util.Comparator;

/**
 * Which table.
 *
 * @param family its family
 * @param name its name, an {@link Identifiers} name
 */
public record TableId(TableFamily family, String name) implements Comparable<TableId> {
    private static final Comparator<TableId> ORDER =
            Comparator.comparing(TableId::family).thenComparing(TableId::name);

    /** Checks the name. */
    public TableId {
        Identifiers.check("table", name);
    }

    @Override
    public int compareTo(TableId other) {
        return ORDER.compare(this, other);
    }

    /** "inet podwire". */
    @Override
    public String toString() {
        return family.keyword() + " " + name;
    }
}
