package io.podwire.node.plan;

import io.podwire.common.net.IpFamily;
import org.junit.jupiter.api.Tag;

/** A node with IPv4 alone. */
@Tag("netns")
final class Ipv4PacketNetnsTest extends PacketContract {
    Ipv4PacketNetnsTest() {
        super(IpFamily.V4);
    }
}
