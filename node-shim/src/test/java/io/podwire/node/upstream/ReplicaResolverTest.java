package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.net.InetAddresses;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Which replicas a node tries, and in which order. */
final class ReplicaResolverTest {
    private static final Map<String, List<String>> NAMES = Map.of("both", List.of("10.0.0.2", "10.0.0.1"));

    private static InetAddress[] lookup(String name) throws UnknownHostException {
        if (InetAddresses.isInetAddress(name)) {
            return new InetAddress[] {InetAddresses.forString(name)};
        }
        List<String> addresses = NAMES.get(name);
        if (addresses == null) {
            throw new UnknownHostException(name);
        }
        return addresses.stream().map(InetAddresses::forString).toArray(InetAddress[]::new);
    }

    private static List<String> replicas(String targets) throws UnknownHostException {
        return ReplicaResolver.replicas(targets, ReplicaResolverTest::lookup);
    }

    @Test
    void inTheOrderOfTheListAndThoseOfANameByAddress() throws UnknownHostException {
        assertThat(replicas("10.0.0.9:7,both:8")).containsExactly("10.0.0.9:7", "10.0.0.1:8", "10.0.0.2:8");
        assertThat(replicas("both:8, 10.0.0.1:8")).as("each once").containsExactly("10.0.0.1:8", "10.0.0.2:8");
    }

    @Test
    void aNameWithoutAnAddressIsPassedOverWhileAnotherTargetHasOne() throws UnknownHostException {
        assertThat(replicas("nobody:1,10.0.0.9:7")).containsExactly("10.0.0.9:7");
        assertThatThrownBy(() -> replicas("nobody:1,noone:2"))
                .isInstanceOf(UnknownHostException.class)
                .hasMessageContaining("nobody")
                .hasMessageContaining("noone");
    }
}
