package io.podwire.route.bgp.fsm;

import io.podwire.common.net.IpFamily;
import io.podwire.route.bgp.message.BgpMessage.Open;
import io.podwire.route.bgp.message.SessionFormat;
import java.util.EnumSet;
import java.util.Set;

/**
 * What two OPENs add up to.
 *
 * @param remote the peer's
 * @param holdSeconds the lesser hold time, 0 for none
 * @param format how messages are written
 * @param families whose routes both speak of
 * @param addPath those of them of which we tell several paths, with identifiers (RFC 7911); what we hear has none
 */
public record Negotiated(
        Open remote, int holdSeconds, SessionFormat format, Set<IpFamily> families, Set<IpFamily> addPath) {
    /** Copies. */
    public Negotiated {
        addPath = Set.copyOf(addPath);
        families = Set.copyOf(families);
    }

    /** From our settings and the peer's OPEN. */
    static Negotiated of(LocalSettings local, Open remote) {
        Set<IpFamily> families = EnumSet.noneOf(IpFamily.class);
        local.families().stream().filter(remote::offers).forEach(families::add);
        Set<IpFamily> addPath = EnumSet.noneOf(IpFamily.class);
        families.stream()
                .filter(family -> local.addPath() && remote.receivesPaths(family))
                .forEach(addPath::add);
        return new Negotiated(
                remote,
                Math.min(local.holdSeconds(), remote.holdSeconds()),
                new SessionFormat(remote.fourOctetAs(), local.internal()),
                families,
                addPath);
    }
}
