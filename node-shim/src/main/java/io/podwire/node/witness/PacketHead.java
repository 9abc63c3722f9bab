package io.podwire.node.witness;

import io.podwire.common.net.IpAddress;
import io.podwire.node.netlink.nft.Octets;
import java.util.Arrays;
import java.util.Optional;

/**
 * Who sends a packet to whom.
 *
 * @param protocol "tcp", "udp", "sctp", or "protocol N"
 * @param sourcePort 0 where there is none, or a fragment does not tell
 * @param destinationPort as above
 */
record PacketHead(IpAddress source, IpAddress destination, String protocol, int sourcePort, int destinationPort) {
    private static final int V4_BYTES = 20;
    private static final int V6_BYTES = 40;

    /** The head of a packet from its IP header on (RFC 791, RFC 8200); empty when it is none. */
    static Optional<PacketHead> of(Octets packet) {
        if (packet.length() < V4_BYTES) {
            return Optional.empty();
        }
        return switch (u8(packet, 0) >>> 4) {
            case 4 -> {
                int length = (u8(packet, 0) & 0xF) * 4;
                boolean first = (u16(packet, 6) & 0x1FFF) == 0;
                yield Optional.of(head(packet, 12, 4, u8(packet, 9), first ? length : packet.length()));
            }
            case 6 ->
                packet.length() < V6_BYTES
                        ? Optional.empty()
                        // Behind an extension header no port is looked for: the protocol is that header's.
                        : Optional.of(head(packet, 8, 16, u8(packet, 6), V6_BYTES));
            default -> Optional.empty();
        };
    }

    private static PacketHead head(Octets packet, int addresses, int bytes, int protocol, int ports) {
        byte[] all = packet.toBytes();
        String name = switch (protocol) {
            case 6 -> "tcp";
            case 17 -> "udp";
            case 132 -> "sctp";
            default -> "protocol " + protocol;
        };
        boolean told = !name.startsWith("protocol") && ports + 4 <= packet.length();
        return new PacketHead(
                IpAddress.ofBytes(Arrays.copyOfRange(all, addresses, addresses + bytes)),
                IpAddress.ofBytes(Arrays.copyOfRange(all, addresses + bytes, addresses + 2 * bytes)),
                name,
                told ? u16(packet, ports) : 0,
                told ? u16(packet, ports + 2) : 0);
    }

    private static int u8(Octets packet, int at) {
        return Byte.toUnsignedInt(packet.at(at));
    }

    private static int u16(Octets packet, int at) {
        return u8(packet, at) << 8 | u8(packet, at + 1);
    }
}
