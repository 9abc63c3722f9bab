package io.podwire.node.nft.model;

import io.podwire.common.net.IpPrefix;
import java.util.regex.Pattern;

/** A constant that a field is compared with. */
public sealed interface Value {

    /**
     * An nft(8) symbol such as {@code tcp} or {@code original}.
     *
     * @param symbol [a-z0-9-]+
     */
    record Symbol(String symbol) implements Value {
        private static final Pattern TEXT = Pattern.compile("[a-z0-9-]+");

        /** Checks the symbol. */
        public Symbol {
            if (!TEXT.matcher(symbol).matches()) {
                throw new IllegalArgumentException("'" + symbol + "' is not an nft symbol");
            }
        }
    }

    /**
     * An interface's name.
     *
     * @param name letters, digits, '-', at most 15; one '*' at its end stands for any rest
     */
    record Interface(String name) implements Value {
        private static final Pattern TEXT = Pattern.compile("[A-Za-z0-9-]{1,15}\\*?");

        /** Checks the name. */
        public Interface {
            if (!TEXT.matcher(name).matches()) {
                throw new IllegalArgumentException("'" + name + "' is not an interface name");
            }
        }
    }

    /**
     * Numbers, such as ports.
     *
     * @param first 0 to 65535
     * @param last first to 65535
     */
    record Span(int first, int last) implements Value, Comparable<Span> {
        /** Checks the order. */
        public Span {
            if (first < 0 || last < first || last > 65535) {
                throw new IllegalArgumentException(first + "-" + last + " is not within 0-65535, in order");
            }
        }

        @Override
        public int compareTo(Span other) {
            return first != other.first ? Integer.compare(first, other.first) : Integer.compare(last, other.last);
        }
    }

    /**
     * An address, or all of a prefix.
     *
     * @param prefix a /32 or /128 is one address
     */
    record Network(IpPrefix prefix) implements Value {}
}
