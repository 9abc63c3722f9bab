package io.podwire.route.bgp.message;

import io.podwire.common.net.IpFamily;
import java.util.List;

/** What a speaker says in its OPEN that it can do: RFC 5492. */
public sealed interface Capability {
    /** Routes of a family: RFC 4760, code 1. */
    record MultiProtocol(int afi, int safi) implements Capability {
        /** Unicast routes of this family. */
        public static MultiProtocol of(IpFamily family) {
            return new MultiProtocol(Families.afi(family), Families.UNICAST);
        }
    }

    /** RFC 2918, code 2. */
    record RouteRefresh() implements Capability {}

    /** RFC 6793, code 65. */
    record FourOctetAs(long asn) implements Capability {}

    /**
     * RFC 4724, code 64.
     *
     * @param restarting the sender has just started anew, and waits for the other's End-of-RIB
     * @param restartSeconds within which it is back after it was lost, 0 to 4095
     * @param families whose routes may be kept meanwhile
     */
    record GracefulRestart(boolean restarting, int restartSeconds, List<RestartFamily> families) implements Capability {
        /** Copies. */
        public GracefulRestart {
            families = List.copyOf(families);
        }

        /** True when routes of this family are worth keeping while it is away. */
        public boolean keeps(IpFamily family) {
            return families.stream().anyMatch(f -> f.afi() == Families.afi(family) && f.safi() == Families.UNICAST);
        }

        /** True when it forwarded packets of this family all the time. */
        public boolean forwarded(IpFamily family) {
            return families.stream()
                    .anyMatch(f ->
                            f.afi() == Families.afi(family) && f.safi() == Families.UNICAST && f.forwardingPreserved());
        }
    }

    /** A family of {@link GracefulRestart}. */
    record RestartFamily(int afi, int safi, boolean forwardingPreserved) {}

    /**
     * RFC 7911, code 69.
     *
     * @param families what the sender does with several paths, by family
     */
    record AddPath(List<AddPathFamily> families) implements Capability {
        /** Copies. */
        public AddPath {
            families = List.copyOf(families);
        }

        /** True when several paths of this family may be sent to it. */
        public boolean receives(IpFamily family) {
            return families.stream()
                    .anyMatch(f -> f.afi() == Families.afi(family)
                            && f.safi() == Families.UNICAST
                            && (f.mode() == AddPathFamily.RECEIVE || f.mode() == AddPathFamily.BOTH));
        }
    }

    /**
     * A family of {@link AddPath}.
     *
     * @param mode 1 receives several paths, 2 sends them, 3 does both; another one means nothing
     */
    record AddPathFamily(int afi, int safi, int mode) {
        /** Of {@code mode}. */
        public static final int RECEIVE = 1;
        /** Of {@code mode}. */
        public static final int SEND = 2;
        /** Of {@code mode}. */
        public static final int BOTH = 3;
    }

    /** Any other. */
    record Unknown(int code, Bytes value) implements Capability {}
}
