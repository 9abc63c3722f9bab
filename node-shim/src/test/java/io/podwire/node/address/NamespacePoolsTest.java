package io.podwire.node.address;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.address.NamespacePools.Selected;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Pools with namespace selectors: alone, and as an address book serves them. */
class NamespacePoolsTest {
    private static final Duration T0 = Duration.ZERO;
    private static final Set<IpFamily> V4 = EnumSet.of(IpFamily.V4);
    private static final Set<IpFamily> BOTH = EnumSet.allOf(IpFamily.class);
    private static final NamespacePools POOLS = new NamespacePools(
            "v1",
            new TreeMap<>(Map.of(
                    "red", selected(IpFamily.V4, "shop", "db"),
                    "red2", selected(IpFamily.V4, "shop"),
                    "nobody", selected(IpFamily.V4),
                    "unknown", new Selected(IpFamily.V4, Optional.empty()))));

    private final AddressBook<String> book = new AddressBook<>(Duration.ofSeconds(60));

    private static Selected selected(IpFamily family, String... namespaces) {
        return new Selected(family, Optional.of(new TreeSet<>(List.of(namespaces))));
    }

    private Taking<String> take(String owner, Set<IpFamily> families, String pool, String namespace, String... these) {
        return book.takeThis(
                owner,
                families,
                Arrays.stream(these).map(io.podwire.common.net.IpAddress::parse).toList(),
                pool,
                namespace,
                T0);
    }

    private static Taking<String> taken(String... addresses) {
        return new Taking.Taken<>(PodAddresses.parse(List.of(addresses)));
    }

    @Test
    void theTextIsReadAsItWasWritten() {
        assertThat(NamespacePools.parse(POOLS.text())).isEqualTo(POOLS);
        assertThat(NamespacePools.parse(NamespacePools.NONE.text())).isEqualTo(NamespacePools.NONE);
    }

    @Test
    void aSelectedNamespaceGetsFromPoolsThatSelectItAndOthersFromThoseWithoutSelector() {
        book.addBlock(IpPrefix.parse("10.0.0.0/31"), "red");
        book.addBlock(IpPrefix.parse("10.0.0.4/31"), "general");
        book.addBlock(IpPrefix.parse("10.0.0.8/31"), "red2");
        book.addBlock(IpPrefix.parse("10.0.0.12/31"), "nobody");
        book.addBlock(IpPrefix.parse("10.0.0.16/31"), "unknown");
        book.addBlock(IpPrefix.parse("fd00::/120"), "general6");
        book.serve(POOLS);
        assertThat(take("a", BOTH, "", "shop"))
                .as("of the other family from any")
                .isEqualTo(taken("10.0.0.0", "fd00::"));
        assertThat(take("b", V4, "", "db")).isEqualTo(taken("10.0.0.1"));
        assertThat(take("c", V4, "", "shop")).isEqualTo(taken("10.0.0.8"));
        assertThat(take("d", V4, "", "db"))
                .as("red2 is not for it, and general neither")
                .isEqualTo(new Taking.NamespaceExhausted<>(IpFamily.V4, List.of("red")));
        assertThat(take("e", V4, "", "shop")).isEqualTo(taken("10.0.0.9"));
        assertThat(take("f", V4, "", "shop"))
                .isEqualTo(new Taking.NamespaceExhausted<>(IpFamily.V4, List.of("red", "red2")));
        assertThat(book.free(IpFamily.V4, T0)).as("for any pod").isEqualTo(2);
        assertThat(take("g", V4, "", "other")).isEqualTo(taken("10.0.0.4"));
        assertThat(take("h", V4, "", "")).as("no pod").isEqualTo(taken("10.0.0.5"));
        assertThat(take("i", V4, "", "other")).isEqualTo(new Taking.Exhausted<>(IpFamily.V4, ""));
        assertThat(book.free(IpFamily.V4, "nobody", T0)).isEqualTo(2);
    }

    @Test
    void aPodThatNamesAPoolOrAnAddressOfItGetsThatUnlessItIsForOthers() {
        book.addBlock(IpPrefix.parse("10.0.0.0/30"), "red");
        book.addBlock(IpPrefix.parse("10.0.0.4/30"), "general");
        book.addBlock(IpPrefix.parse("10.0.0.16/30"), "unknown");
        book.serve(POOLS);
        assertThat(take("a", V4, "red", "other")).isEqualTo(new Taking.NotForNamespace<>("red"));
        assertThat(take("a", V4, "", "other", "10.0.0.1")).isEqualTo(new Taking.NotForNamespace<>("red"));
        assertThat(take("a", V4, "red", "shop")).isEqualTo(taken("10.0.0.0"));
        assertThat(take("b", V4, "general", "shop")).isEqualTo(taken("10.0.0.4"));
        assertThat(take("c", V4, "unknown", "other"))
                .as("nobody knows its namespaces: it is named")
                .isEqualTo(taken("10.0.0.16"));
        book.serve(new NamespacePools("v2", new TreeMap<>(Map.of("red", selected(IpFamily.V4, "other")))));
        assertThat(take("d", V4, "", "other")).as("a label has changed").isEqualTo(taken("10.0.0.1"));
        assertThat(book.heldBy("a")).as("and nobody loses anything").hasSize(1);
    }

    @Test
    void theNodesOwnAddressLeavesAPoolThatBecameForSomeNamespaces() {
        book.addBlock(IpPrefix.parse("10.0.0.0/30"), "red");
        assertThat(book.renew("tunnel", IpFamily.V4, T0)).hasToString("Optional[10.0.0.0]");
        book.serve(POOLS);
        assertThat(book.renew("tunnel", IpFamily.V4, T0))
                .as("no other is there")
                .hasToString("Optional[10.0.0.0]");
        book.addBlock(IpPrefix.parse("10.0.0.4/30"), "general");
        assertThat(book.renew("tunnel", IpFamily.V4, T0)).hasToString("Optional[10.0.0.4]");
    }
}
