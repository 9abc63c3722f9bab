package io.podwire.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.PodAddresses;
import java.util.List;
import org.junit.jupiter.api.Test;

final class UpstreamsTest {
    private static final IpAddress V4 = IpAddress.parse("10.1.0.1");
    private static final IpAddress V6 = IpAddress.parse("fd00::1");

    @Test
    void theTunnelEndsAtAnAddressThatIsAnnouncedOrNowhere() {
        PodAddresses both = new PodAddresses(List.of(V4, V6));
        IpPrefix four = IpPrefix.parse("10.1.0.0/29");
        IpPrefix six = IpPrefix.parse("fd00::/122");
        assertThat(Upstreams.tunnelEnd(both, List.of(four, six))).contains(V4);
        assertThat(Upstreams.tunnelEnd(both, List.of(six)))
                .as("the IPv4 block is lost")
                .contains(V6);
        assertThat(Upstreams.tunnelEnd(both, List.of(IpPrefix.parse("10.1.0.8/29"))))
                .as("what is announced is withdrawn all the same")
                .isEmpty();
        assertThat(Upstreams.tunnelEnd(both, List.of())).isEmpty();
    }

    @Test
    void aNodeThatIsServedNoMoreAnnouncesNoSingleAddress() {
        List<IpPrefix> blocks = List.of(IpPrefix.parse("10.1.0.0/29"));
        List<IpAddress> singles = List.of(IpAddress.parse("10.9.0.5"), IpAddress.parse("fd00:9::5"));
        assertThat(Upstreams.announced(blocks, singles, false))
                .containsExactly(blocks.getFirst(), IpPrefix.parse("10.9.0.5/32"), IpPrefix.parse("fd00:9::5/128"));
        assertThat(Upstreams.announced(blocks, singles, true))
                .as("whose blocks are goes by the list that ipam-service gives")
                .isEqualTo(blocks);
    }
}
