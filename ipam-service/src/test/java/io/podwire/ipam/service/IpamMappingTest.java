package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import java.util.List;
import org.junit.jupiter.api.Test;

class IpamMappingTest {
    private static final NodeEpoch NODE = new NodeEpoch(new NodeName("n1"), "uid-1", "boot-1", Long.MAX_VALUE);
    private static final Pool POOL = new Pool("default", IpPrefix.parse("10.1.0.0/16"), 26);

    @Test
    void epochsAndPoolsRoundTrip() {
        assertThat(IpamMapping.epoch(IpamMapping.toProto(NODE))).isEqualTo(NODE);
        Ledger ledger =
                new Ledger(List.of(POOL), List.of(new Block("default", POOL.block(0), NODE, "r1")), List.of(NODE));
        io.podwire.proto.ipam.v1.Pool message = IpamMapping.toProto(POOL, ledger);
        assertThat(IpamMapping.pool(message)).isEqualTo(POOL);
        assertThat(message.getOwnedBlocks()).isEqualTo(1);
        assertThat(message.getTotalBlocks()).isEqualTo(1024);
    }

    @Test
    void blocksKeepPoolAddressesAndOwner() {
        io.podwire.proto.ipam.v1.Block message = IpamMapping.toProto(new Block("default", POOL.block(3), NODE, "r1"));
        assertThat(message.getPool()).isEqualTo("default");
        assertThat(IpamMapping.prefix(message.getCidr())).isEqualTo(POOL.block(3));
        assertThat(IpamMapping.epoch(message.getOwner())).isEqualTo(NODE);
    }
}
