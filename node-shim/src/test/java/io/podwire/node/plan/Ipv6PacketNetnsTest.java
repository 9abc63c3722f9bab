package io.podwire.node.plan;

import io.podwire.common.net.IpFamily;
import org.junit.jupiter.api.Tag;

/** A node with IPv6 alone. */
@Tag("netns")
final class Ipv6PacketNetnsTest extends PacketContract {
    Ipv6PacketNetnsTest() {
        super(IpFamily.V6);
    }
}
