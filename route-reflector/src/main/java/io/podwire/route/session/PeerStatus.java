package io.podwire.route.session;

import io.podwire.common.net.IpFamily;
import java.time.Duration;
import java.util.Map;
import java.util.Set;

/**
 * How it stands with a neighbour.
 *
 * @param settings as configured
 * @param state Stopped, Idle, Active, Connect, OpenSent, OpenConfirm or Established
 * @param inState how long that has been so
 * @param identifier the neighbour's BGP identifier, empty without a session
 * @param holdSeconds agreed hold time, 0 without a session
 * @param families agreed on, empty without a session
 * @param restarting it was lost and its routes are kept, RFC 4724
 * @param imported prefixes that are kept from it, by family
 * @param advertised prefixes that it was told
 * @param refused routes of it that were not taken since the start
 * @param malformed UPDATEs whose routes counted as withdrawn, or that lost an attribute, since the start
 * @param sessions sessions since the start
 * @param lastProblem why the last connection ended, or what was last refused; empty for none
 */
public record PeerStatus(
        PeerSettings settings,
        String state,
        Duration inState,
        String identifier,
        int holdSeconds,
        Set<IpFamily> families,
        boolean restarting,
        Map<IpFamily, Integer> imported,
        int advertised,
        long refused,
        long malformed,
        long sessions,
        String lastProblem) {
    /** Copies. */
    public PeerStatus {
        families = Set.copyOf(families);
        imported = Map.copyOf(imported);
    }
}
