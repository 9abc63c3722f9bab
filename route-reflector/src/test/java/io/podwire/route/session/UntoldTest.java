package io.podwire.route.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class UntoldTest {
    private static final List<IpPrefix> PREFIXES = IntStream.range(0, 20_000)
            .mapToObj(i -> IpPrefix.ofHost(IpAddress.ofV4(i)))
            .toList();

    @Test
    void whatIsNotTakenIsKeptOnce() {
        Untold untold = new Untold();
        for (int round = 0; round < 50; round++) {
            PREFIXES.forEach(untold::add);
        }
        assertThat(untold.size()).isLessThanOrEqualTo(2 * PREFIXES.size());
        assertThat(IntStream.range(0, PREFIXES.size()).mapToObj(_ -> untold.next()))
                .as("the oldest first, none lost")
                .containsExactlyElementsOf(PREFIXES);
    }

    @Test
    void whatIsTakenIsGone() {
        Untold untold = new Untold();
        untold.add(PREFIXES.getFirst());
        assertThat(untold.isEmpty()).isFalse();
        assertThat(untold.next()).isEqualTo(PREFIXES.getFirst());
        assertThat(untold.isEmpty()).isTrue();
    }
}
