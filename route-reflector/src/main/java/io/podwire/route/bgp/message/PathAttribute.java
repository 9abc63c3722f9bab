package io.podwire.route.bgp.message;

import io.podwire.common.net.IpAddress;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** What an UPDATE says of its routes, next hop and prefixes aside. */
public sealed interface PathAttribute {
    /** Its type code, RFC 4271 §4.3. */
    int type();

    /** Where a route was born. */
    enum OriginKind {
        /** Inside the AS. */
        IGP(0),
        /** By EGP, RFC 904. */
        EGP(1),
        /** Otherwise. */
        INCOMPLETE(2);

        private final int wire;

        OriginKind(int wire) {
            this.wire = wire;
        }

        /** Its number in ORIGIN; less is preferred. */
        public int wire() {
            return wire;
        }

        /** The one of this number. */
        public static Optional<OriginKind> ofWire(int wire) {
            return Arrays.stream(values()).filter(kind -> kind.wire == wire).findFirst();
        }
    }

    /** Type 1. */
    record Origin(OriginKind kind) implements PathAttribute {
        @Override
        public int type() {
            return 1;
        }
    }

    /** Type 2; AS4_PATH is merged into it. */
    record Path(AsPath path) implements PathAttribute {
        @Override
        public int type() {
            return 2;
        }
    }

    /** Type 4, MULTI_EXIT_DISC: 0 to 2^32 - 1, less is better. */
    record Med(long metric) implements PathAttribute {
        @Override
        public int type() {
            return 4;
        }
    }

    /** Type 5: 0 to 2^32 - 1, more is better. */
    record LocalPref(long preference) implements PathAttribute {
        @Override
        public int type() {
            return 5;
        }
    }

    /** Type 6. */
    record AtomicAggregate() implements PathAttribute {
        @Override
        public int type() {
            return 6;
        }
    }

    /** Type 7; AS4_AGGREGATOR is merged into it. */
    record Aggregator(long asn, IpAddress router) implements PathAttribute {
        @Override
        public int type() {
            return 7;
        }
    }

    /** Type 8, RFC 1997: not empty. */
    record Communities(List<Community> values) implements PathAttribute {
        /** Copies. */
        public Communities {
            values = List.copyOf(values);
        }

        @Override
        public int type() {
            return 8;
        }
    }

    /** Type 9, RFC 4456: the router that brought the route into the AS. */
    record OriginatorId(IpAddress router) implements PathAttribute {
        @Override
        public int type() {
            return 9;
        }
    }

    /** Type 10, RFC 4456: the clusters a route was reflected by, latest first; not empty. */
    record ClusterList(List<IpAddress> clusters) implements PathAttribute {
        /** Copies. */
        public ClusterList {
            clusters = List.copyOf(clusters);
        }

        @Override
        public int type() {
            return 10;
        }
    }

    /** Type 16, RFC 4360: not empty. Passed on, not looked at. */
    record ExtendedCommunities(List<Long> values) implements PathAttribute {
        /** Copies. */
        public ExtendedCommunities {
            values = List.copyOf(values);
        }

        @Override
        public int type() {
            return 16;
        }
    }

    /** Type 32, RFC 8092: not empty, none twice. */
    record LargeCommunities(List<LargeCommunity> values) implements PathAttribute {
        /** Copies. */
        public LargeCommunities {
            values = List.copyOf(values);
        }

        @Override
        public int type() {
            return 32;
        }
    }

    /** An optional transitive one that we do not know: passed on as partial. RFC 4271 §5. */
    record Unknown(int type, Bytes value) implements PathAttribute {}
}
