package io.podwire.ipam.audit;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.ipam.audit.Finding.Who;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class LooksTest {
    private final Looks looks = new Looks(Duration.ofSeconds(30));

    private static Finding finding(String object, String since) {
        return new Finding(
                FindingKind.HANDLE_WITHOUT_ADDRESS,
                object,
                Optional.empty(),
                "",
                Who.NOBODY,
                since,
                "it is so",
                new Repair.DropHandle(object));
    }

    private List<String> look(int seconds, Finding... findings) {
        return looks.look(List.of(findings), Duration.ofSeconds(seconds)).stream()
                .map(seen -> seen.finding().object() + " " + seen.seenFor().toSeconds() + " " + seen.confirmed())
                .toList();
    }

    @Test
    void twoLooksAnIntervalApartConfirm() {
        assertThat(look(100, finding("a", ""))).containsExactly("a 0 false");
        assertThat(look(129, finding("a", ""), finding("b", ""))).containsExactly("a 29 false", "b 0 false");
        assertThat(look(130, finding("a", ""), finding("b", ""))).containsExactly("a 30 true", "b 1 false");
    }

    @Test
    void whatWasMissingAtALookStartsAgain() {
        look(100, finding("a", ""));
        look(120);
        assertThat(look(140, finding("a", ""))).containsExactly("a 0 false");
        assertThat(look(169, finding("a", ""))).containsExactly("a 29 false");
    }

    @Test
    void anotherOneOfTheSameObjectStartsAgain() {
        look(100, finding("a", "9:00"));
        assertThat(look(140, finding("a", "9:01"))).containsExactly("a 0 false");
    }
}
