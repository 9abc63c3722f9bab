package io.podwire.ipam.service;

import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.CoolDown;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.store.LedgerSnapshot;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks after single addresses that cool down, and makes those free that have. A replica counts for itself, from its
 * first look at a released address on its own monotonic clock: no two clocks are compared, and after a restart an address
 * cools longer. One thread looks; it owns what was seen.
 */
public final class CoolDownLook {
    private static final Logger log = LoggerFactory.getLogger(CoolDownLook.class);
    /** So many in one write, which takes 120 keys: each address has one, and may be all of a block. */
    private static final int MOST_AT_ONCE = 50;

    /** What other replicas have released in the meantime cools down so much longer. */
    private static final Duration NEWS = Duration.ofSeconds(10);

    private final AddressFlow flow;
    private final TimeSource time;
    private final Duration usual;
    private Map<IpAddress, Seen> seen = new HashMap<>();

    /** A released address as it was first seen: in that version, which says what it was. */
    private record Seen(long version, Duration at) {}

    /**
     * Has not looked yet.
     *
     * @param usual cool-down of pools that name none
     */
    public CoolDownLook(AddressFlow flow, TimeSource time, Duration usual) {
        this.flow = flow;
        this.time = time;
        this.usual = usual;
    }

    /**
     * Looks, and makes all free that has cooled down, one write after the other. What is left where another replica turns
     * out to be at it, or the store does not answer, is looked at anew the next time.
     */
    public void look() {
        try {
            boolean goesOn = true;
            for (Iterator<Map<SingleAddress, Long>> writes =
                            cooled(flow.recent(NEWS)).iterator();
                    goesOn && writes.hasNext(); ) {
                goesOn = flow.forget(writes.next()) && !Thread.currentThread().isInterrupted();
            }
        } catch (ServiceException e) {
            log.debug("released addresses go on cooling down: {}", e.getMessage());
        }
    }

    /** What has cooled down with the version of each, as much in each part as goes in one write. */
    private List<Map<SingleAddress, Long>> cooled(LedgerSnapshot snapshot) {
        Duration now = time.monotonic();
        Ledger ledger = snapshot.ledger();
        Map<IpAddress, Seen> still = new HashMap<>();
        List<Map<SingleAddress, Long>> cooled = new ArrayList<>();
        for (SingleAddress address : ledger.addresses()) {
            if (!(address.use() instanceof AddressUse.Cooling)) {
                continue;
            }
            long version = snapshot.version(address.address());
            Seen before = seen.get(address.address());
            Seen at = before != null && before.version() == version ? before : new Seen(version, now);
            still.put(address.address(), at);
            if (now.minus(at.at()).compareTo(coolDown(ledger, address)) >= 0) {
                if (cooled.isEmpty() || cooled.getLast().size() == MOST_AT_ONCE) {
                    cooled.add(new LinkedHashMap<>());
                }
                cooled.getLast().put(address, version);
            }
        }
        seen = still;
        return cooled;
    }

    private Duration coolDown(Ledger ledger, SingleAddress address) {
        return ledger.pool(address.pool())
                .map(Pool::coolDown)
                .map(coolDown -> switch (coolDown) {
                    case CoolDown.OfNode _ -> usual;
                    case CoolDown.Of(Duration length) -> length;
                })
                .orElse(usual);
    }
}
