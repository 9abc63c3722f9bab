package io.podwire.policy.publish;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.testing.Seeds;
import io.podwire.policy.compile.AddressSet;
import io.podwire.policy.compile.NodeProgram;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Where programs differ about an address is what a look at every set of both says. */
class SettlingPropertyTest {
    @Test
    void itIsWhatALookAtEverySetSays() {
        Seeds.forEach(getClass(), 200, random -> {
            NodeProgram before = program(random);
            NodeProgram after = random.nextInt(4) == 0 ? before : program(random);
            for (int i = 0; i < 40; i++) {
                IpAddress address = address(random);
                boolean differs = Stream.concat(
                                before.addressSets().keySet().stream(), after.addressSets().keySet().stream())
                        .anyMatch(id -> holds(before, id, address) != holds(after, id, address));
                assertThat(Settling.between(before, after).about(List.of(address)))
                        .as("%s of %s and %s", address, before.addressSets(), after.addressSets())
                        .isEqualTo(differs);
            }
        });
    }

    private static boolean holds(NodeProgram program, String id, IpAddress address) {
        return program.addressSets().containsKey(id)
                && program.addressSets().get(id).cidrs().stream().anyMatch(cidr -> cidr.contains(address));
    }

    private static NodeProgram program(RandomGenerator random) {
        SortedMap<String, AddressSet> sets = new TreeMap<>();
        for (int i = random.nextInt(4); i > 0; i--) {
            String id = "set-" + random.nextInt(3);
            TreeSet<IpPrefix> members = new TreeSet<>();
            for (int m = random.nextInt(6); m > 0; m--) {
                IpPrefix member = random.nextInt(3) == 0
                        ? IpPrefix.parse("10.0.0." + 8 * random.nextInt(3) + "/29")
                        : IpPrefix.ofHost(address(random));
                if (members.stream().noneMatch(other -> other.contains(member) || member.contains(other))) {
                    members.add(member);
                }
            }
            sets.put(id, new AddressSet(id, id, List.copyOf(members)));
        }
        return new NodeProgram(new TreeMap<>(), sets, new TreeMap<>());
    }

    private static IpAddress address(RandomGenerator random) {
        return random.nextInt(4) == 0
                ? IpAddress.parse("fd00::" + random.nextInt(4))
                : IpAddress.parse("10.0.0." + random.nextInt(24));
    }
}
