package io.podwire.route.bgp.message;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import java.util.List;
import java.util.Optional;

/** A BGP-4 message: RFC 4271 §4, RFC 2918. */
public sealed interface BgpMessage {
    /** Octets of the header: marker, length, type. */
    int HEADER = 19;

    /** Longest message, header included. */
    int LONGEST = 4096;

    /** AS number that stands for one of four octets where only two fit, RFC 6793. */
    long AS_TRANS = 23456;

    /**
     * The first message of each side.
     *
     * @param asn the sender's AS number, 1 to 2^32 - 1: the one of the four-octet capability where there is one
     * @param holdSeconds the hold time it offers, 0 or 3 to 65535
     * @param identifier its BGP identifier, an IPv4 address that is not 0.0.0.0
     * @param capabilities what it can do, RFC 5492
     */
    record Open(long asn, int holdSeconds, IpAddress identifier, List<Capability> capabilities) implements BgpMessage {
        /** Copies. */
        public Open {
            capabilities = List.copyOf(capabilities);
        }

        /** True when it speaks of routes of this family. */
        public boolean offers(IpFamily family) {
            boolean multiProtocol = false;
            for (Capability capability : capabilities) {
                if (capability instanceof Capability.MultiProtocol(int afi, int safi)) {
                    multiProtocol = true;
                    if (safi == Families.UNICAST && afi == Families.afi(family)) {
                        return true;
                    }
                }
            }
            // RFC 4760 §8: who says nothing speaks of IPv4 unicast.
            return !multiProtocol && family == IpFamily.V4;
        }

        /** True when AS numbers of four octets may be sent to it. */
        public boolean fourOctetAs() {
            return capabilities.stream().anyMatch(c -> c instanceof Capability.FourOctetAs);
        }

        /** True when it re-sends its routes on request. */
        public boolean routeRefresh() {
            return capabilities.contains(new Capability.RouteRefresh());
        }

        /** True when several paths of this family may be sent to it. */
        public boolean receivesPaths(IpFamily family) {
            return capabilities.stream()
                    .anyMatch(c -> c instanceof Capability.AddPath addPath && addPath.receives(family));
        }

        /** How it restarts, where it said so. */
        public Optional<Capability.GracefulRestart> gracefulRestart() {
            return capabilities.stream()
                    .filter(Capability.GracefulRestart.class::isInstance)
                    .map(Capability.GracefulRestart.class::cast)
                    .findFirst();
        }
    }

    /**
     * Routes that come and go.
     *
     * @param withdrawn prefixes of any family that are no longer reached through the sender
     * @param attributes what is common to all of {@code reach}; empty without it
     * @param reach prefixes that are reached, at most one entry for a family
     */
    record Update(List<IpPrefix> withdrawn, PathAttributes attributes, List<Reach> reach) implements BgpMessage {
        /** Copies. */
        public Update {
            withdrawn = List.copyOf(withdrawn);
            reach = List.copyOf(reach);
        }
    }

    /**
     * Prefixes and where packets for them go.
     *
     * @param nextHop address of the router, of the prefixes' family
     * @param prefixes of one family, not empty
     */
    record Reach(IpAddress nextHop, List<IpPrefix> prefixes) {
        /** Copies and checks that all are of one family. */
        public Reach {
            prefixes = List.copyOf(prefixes);
            boolean fits = !prefixes.isEmpty();
            for (int i = 0; i < prefixes.size(); i++) {
                fits &= prefixes.get(i).family() == nextHop.family();
            }
            if (!fits) {
                throw new IllegalArgumentException("prefixes of "
                        + nextHop.family().label() + " belong to next hop " + nextHop + ", got " + prefixes);
            }
        }
    }

    /** All routes of a family were sent once: RFC 4724 §2. */
    record EndOfRib(IpFamily family) implements BgpMessage {}

    /**
     * The last message of a session: why it ends.
     *
     * @param code of RFC 4271 §4.5, 0 to 255
     * @param subcode of the code, 0 to 255
     * @param data what the code asks for
     */
    record Notification(int code, int subcode, Bytes data) implements BgpMessage {
        /** One without data. */
        public static Notification of(int code, int subcode) {
            return new Notification(code, subcode, Bytes.EMPTY);
        }

        /** The names of both codes. */
        @Override
        public String toString() {
            return NotificationCodes.describe(code, subcode);
        }
    }

    /** The sender is there. */
    record Keepalive() implements BgpMessage {}

    /**
     * Asks for all routes of a family anew: RFC 2918.
     *
     * @param afi address family, 0 to 65535
     * @param safi its part, 0 to 255
     */
    record RouteRefresh(int afi, int safi) implements BgpMessage {
        /** For the unicast routes of this family. */
        public static RouteRefresh of(IpFamily family) {
            return new RouteRefresh(Families.afi(family), Families.UNICAST);
        }

        /** The family, where it is one of ours. */
        public Optional<IpFamily> family() {
            return Families.unicast(afi, safi);
        }
    }
}
