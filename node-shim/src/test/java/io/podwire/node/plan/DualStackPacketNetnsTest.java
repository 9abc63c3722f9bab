package io.podwire.node.plan;

import io.podwire.common.net.IpFamily;
import org.junit.jupiter.api.Tag;

/** A node with both families. */
@Tag("netns")
final class DualStackPacketNetnsTest extends PacketContract {
    DualStackPacketNetnsTest() {
        super(IpFamily.V4, IpFamily.V6);
    }
}
