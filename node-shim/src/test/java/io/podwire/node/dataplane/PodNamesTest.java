package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.NodeName;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.plan.EndpointKey;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class PodNamesTest {
    /** These are on disk and in kernels: another release must find them again. */
    @Test
    void namesAreTheSameInEveryRelease() {
        assertThat(PodNames.hostIfname(new EndpointKey("c1", "eth0"))).isEqualTo("pw5rbqk7ahvksr7");
        assertThat(PodNames.ifbName(new EndpointKey("c1", "eth0"))).isEqualTo("pi5rbqk7ahvksr7");
        assertThat(PodNames.podMac(PodAddresses.of(IpAddress.parse("10.1.0.5"))))
                .hasToString("02:70:0a:01:00:05");
        assertThat(PodNames.vtepMac(new NodeName("node-1"))).hasToString("02:7c:21:b5:67:1a");
        assertThat(PodNames.BRIDGE_MAC).hasToString("02:71:77:30:00:01");
    }

    @Test
    void namesFitTheKernelAndDiffer() {
        Set<String> names = new HashSet<>();
        for (int i = 0; i < 2000; i++) {
            for (String ifname : new String[] {"eth0", "net1"}) {
                String name = PodNames.hostIfname(new EndpointKey("c" + i, ifname));
                assertThat(name).matches("pw[a-z2-7]{13}");
                assertThat(names.add(name)).as("%s/%s", i, ifname).isTrue();
            }
        }
        assertThat(PodNames.hostIfname(new EndpointKey("a", "bc")))
                .as("id and ifname are told apart")
                .isNotEqualTo(PodNames.hostIfname(new EndpointKey("ab", "c")));
    }

    @Test
    void aPodWithoutIpv4HasAMacOfItsIpv6Address() {
        assertThat(PodNames.podMac(PodAddresses.parse(List.of("fd00:1::5")))).hasToString("02:76:04:ff:5b:a4");
        assertThat(PodNames.podMac(PodAddresses.parse(List.of("fd00:1::5", "10.1.0.5"))))
                .as("beside IPv4, that of IPv4")
                .hasToString("02:70:0a:01:00:05");
        Set<MacAddress> macs = new HashSet<>();
        for (String block : new String[] {"fd00:1::", "fd00:2::", "fd00:1:0:0:1::", "fd00:1::1:0:0"}) {
            for (int i = 0; i < 64; i++) {
                PodAddresses one = PodAddresses.of(IpAddress.parse(block).plus(i));
                assertThat(macs.add(PodNames.podMac(one))).as("%s", one).isTrue();
            }
        }
    }

    @Test
    void theLongestAliasFits() {
        String alias = PodNames.alias(new EndpointKey("x".repeat(255), "abcdefghijklmno"));
        assertThat(alias).startsWith("podwire xxx").hasSize(255);
    }

    @Test
    void macsAreLocalUnicastAndNeverTheBridges() {
        for (String address : new String[] {"0.0.0.0", "10.1.0.5", "119.48.0.1", "255.255.255.255"}) {
            MacAddress mac = PodNames.podMac(PodAddresses.of(IpAddress.parse(address)));
            assertThat(mac.bytes()[0] & 3).as("locally administered, unicast").isEqualTo(2);
            assertThat(mac).as("MAC of %s", address).isNotEqualTo(PodNames.BRIDGE_MAC);
        }
    }
}
