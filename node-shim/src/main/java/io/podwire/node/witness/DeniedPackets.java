package io.podwire.node.witness;

import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.node.netlink.nft.LoggedPacket;
import io.podwire.node.plan.DropCause;
import io.podwire.node.plan.LocalEndpoint;
import java.time.Duration;
import java.util.Collection;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Tells who was denied what, and by which policy: a line for each packet that a rule has logged, so many each second at
 * most, whatever the number of chains that log. One thread calls it.
 */
public final class DeniedPackets {
    private static final Duration SECOND = Duration.ofSeconds(1);

    private final Supplier<? extends Collection<LocalEndpoint>> endpoints;
    private final int perSecond;
    private final TimeSource time;
    private final Consumer<String> lines;
    private Duration second = Duration.ZERO.minusSeconds(1);
    private int said;
    private long unsaid;

    /**
     * Tells lines.
     *
     * @param endpoints this node's pods, whose names are told
     * @param perSecond lines at most
     * @param lines takes each
     */
    public DeniedPackets(
            Supplier<? extends Collection<LocalEndpoint>> endpoints,
            int perSecond,
            TimeSource time,
            Consumer<String> lines) {
        this.endpoints = endpoints;
        this.perSecond = perSecond;
        this.time = time;
        this.lines = lines;
    }

    /** A packet was denied. */
    public void denied(LoggedPacket packet) {
        Duration now = time.monotonic();
        if (now.minus(second).compareTo(SECOND) >= 0) {
            second = now;
            said = 0;
        }
        if (said >= perSecond) {
            unsaid++;
            return;
        }
        said++;
        String more = unsaid == 0 ? "" : " (and " + unsaid + " packets before, of which no line was written)";
        unsaid = 0;
        lines.accept("denied " + text(packet) + more);
    }

    private String text(LoggedPacket packet) {
        String cause = switch (DropCause.ofLogged(packet.prefix())) {
            case DropCause.DefaultDeny deny -> word(deny.direction()) + ", " + deny;
            case DropCause.ByRule rule -> word(rule.direction()) + ", " + rule;
            case DropCause.Guard guard -> guard.toString();
        };
        return PacketHead.of(packet.payload())
                .map(head -> end(head.source(), head.sourcePort()) + " to "
                        + end(head.destination(), head.destinationPort()) + ", " + head.protocol() + ": " + cause)
                .orElse("a packet without an IP header: " + cause);
    }

    private static String word(DropCause.Direction direction) {
        return direction.name().toLowerCase(Locale.ROOT);
    }

    /** "10.1.0.1 port 80 (ns/pod)", as far as it is known. */
    private String end(IpAddress address, int port) {
        Optional<LocalEndpoint> pod = endpoints.get().stream()
                .filter(endpoint -> endpoint.addresses().list().contains(address))
                .findFirst();
        return address
                + (port == 0 ? "" : " port " + port)
                + pod.map(p -> " (" + p.pod().namespace() + "/" + p.pod().name() + ")")
                        .orElse("");
    }
}
