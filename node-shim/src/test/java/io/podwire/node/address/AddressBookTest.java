package io.podwire.node.address;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.entry;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.PodAddresses;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class AddressBookTest {
    private static final Duration COOL = Duration.ofSeconds(60);
    private static final Duration T0 = Duration.ofSeconds(1000);

    private static final Set<IpFamily> V4 = Set.of(IpFamily.V4);
    private static final Set<IpFamily> BOTH = Set.of(IpFamily.V6, IpFamily.V4);

    private final AddressBook<String> book = new AddressBook<>(COOL);

    @Test
    void aReleasedAddressIsGivenToNobodyWhileItCools() {
        book.addBlock(IpPrefix.parse("10.0.0.1/32"));
        assertThat(book.take("a", V4, T0)).hasValue(PodAddresses.of(IpAddress.parse("10.0.0.1")));
        book.release("a", T0);

        assertThat(book.take("b", V4, T0.plus(COOL).minusNanos(1)))
                .as("a nanosecond before its end")
                .isEmpty();
        assertThat(book.take("b", V4, T0.plus(COOL)))
                .as("at its end")
                .hasValue(PodAddresses.of(IpAddress.parse("10.0.0.1")));
    }

    @Test
    void aBlocksOwnCoolDownHoldsForItsAddresses() {
        IpPrefix slow = IpPrefix.parse("10.0.0.1/32");
        book.addBlock(slow, "slow", COOL.multipliedBy(10));
        book.addBlock(IpPrefix.parse("fd00::1/128"), "fast", Duration.ZERO);
        book.take("a", BOTH, T0);
        assertThat(book.shortestCoolDown()).isZero();
        book.release("a", T0);

        assertThat(book.cooling(T0)).containsExactly(IpAddress.parse("10.0.0.1"));
        assertThat(book.take("b", Set.of(IpFamily.V6), T0)).as("at once").isPresent();
        assertThat(book.holdings(T0.plusSeconds(3)).cooling())
                .as("since its release, however long it cools")
                .containsExactly(entry(IpAddress.parse("10.0.0.1"), Duration.ofSeconds(3)));
        assertThat(book.take("b", V4, T0.plus(COOL)))
                .as("the book's own is over")
                .isEmpty();
        assertThat(book.take("b", V4, T0.plus(COOL.multipliedBy(10)))).isPresent();
    }

    @Test
    void aLongerCoolDownHoldsForWhatCoolsAndAShorterOneDoesNot() {
        IpPrefix block = IpPrefix.parse("10.0.0.1/32");
        book.addBlock(block, "p");
        book.take("a", V4, T0);
        book.release("a", T0);

        book.addBlock(block, "p", Duration.ZERO);
        assertThat(book.cooling(T0.plusSeconds(1))).as("as its release said").hasSize(1);
        book.addBlock(block, "p", Duration.ofSeconds(90));
        assertThat(book.take("b", V4, T0.plus(COOL))).as("30 s before its end").isEmpty();
        assertThat(book.take("b", V4, T0.plusSeconds(90))).isPresent();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> book.addBlock(block, "p", Duration.ofSeconds(-1)))
                .withMessageContaining("0 or more");
    }

    @Test
    void theLastOwnerGetsNoEarlierReturnThanOthers() {
        book.addBlock(IpPrefix.parse("10.0.0.1/32"));
        book.take("a", V4, T0);
        book.release("a", T0);

        assertThat(book.take("a", V4, T0)).as("late packets of its old life").isEmpty();
    }

    @Test
    void releasedLongestAgoIsTakenFirst() {
        book.addBlock(IpPrefix.parse("10.0.0.0/30"));
        for (int i = 0; i < 4; i++) {
            book.take("first-" + i, V4, T0);
        }
        for (int i : new int[] {2, 0, 3, 1}) {
            book.release("first-" + i, T0.plusSeconds(1));
        }

        Duration later = T0.plus(COOL).plusSeconds(10);
        assertThat(java.util.stream.IntStream.range(0, 4)
                        .mapToObj(i -> book.take("second-" + i, V4, later)
                                .orElseThrow()
                                .toString()))
                .containsExactly("10.0.0.2", "10.0.0.0", "10.0.0.3", "10.0.0.1");
    }

    @Test
    void anOwnerKeepsItsAddressWhenTheBlockGoes() {
        IpPrefix block = IpPrefix.parse("10.0.0.0/30");
        book.addBlock(block);
        PodAddresses held = book.take("a", V4, T0).orElseThrow();
        book.removeBlock(block);

        assertThat(book.take("a", V4, T0)).as("the same owner").hasValue(held);
        assertThat(book.take("b", V4, T0)).as("a new owner").isEmpty();
        assertThat(book.free(IpFamily.V4, T0)).as("free in no block").isZero();
        book.addBlock(block);
        assertThat(book.free(IpFamily.V4, T0)).as("the held one counts again").isEqualTo(3);
    }

    @Test
    void anOwnerTakesOneOfEachFamilyOrNone() {
        book.addBlock(IpPrefix.parse("10.0.0.0/30"));
        book.addBlock(IpPrefix.parse("fd00::/127"));
        assertThat(book.take("a", BOTH, T0)).hasValue(addresses("10.0.0.0", "fd00::"));
        assertThat(book.take("b", BOTH, T0)).hasValue(addresses("10.0.0.1", "fd00::1"));

        assertThat(book.take("c", BOTH, T0)).as("IPv6 is used up").isEmpty();
        assertThat(book.heldBy("c")).as("half of it is nothing").isEmpty();
        assertThat(book.free(IpFamily.V4, T0)).isEqualTo(2);
        assertThat(book.cooling(T0)).as("what nobody had does not cool down").isEmpty();

        assertThat(book.release("a", T0))
                .as("both, IPv4 first")
                .isEqualTo(addresses("10.0.0.0", "fd00::").list());
        assertThat(book.cooling(T0)).isEqualTo(addresses("10.0.0.0", "fd00::").list());
        assertThat(book.take("c", BOTH, T0)).as("both cool").isEmpty();
        assertThat(book.take("c", BOTH, T0.plus(COOL))).hasValue(addresses("10.0.0.2", "fd00::"));
    }

    @Test
    void anOwnerOfOneFamilyKeepsItWhenItWantsTheOther() {
        book.addBlock(IpPrefix.parse("10.0.0.0/30"));
        book.addBlock(IpPrefix.parse("fd00::/126"));
        book.restore("a", IpAddress.parse("10.0.0.3"));
        assertThat(book.take("a", BOTH, T0)).hasValue(addresses("10.0.0.3", "fd00::"));
        assertThat(book.take("a", V4, T0)).as("one that it has").hasValue(addresses("10.0.0.3"));
        assertThatIllegalStateException()
                .isThrownBy(() -> book.restore("a", IpAddress.parse("fd00::1")))
                .withMessageContaining("a holds fd00::");
    }

    @Test
    void ofAVastBlockEnoughIsUsed() {
        book.addBlock(IpPrefix.parse("fd00::/64"));
        assertThat(book.free(IpFamily.V6, T0)).isEqualTo(AddressBook.MOST_OF_A_BLOCK);
        IpAddress far = IpAddress.parse("fd00::ffff:ffff");
        book.restore("a", far);
        assertThat(book.release("a", T0)).as("one beyond is known all the same").containsExactly(far);
        assertThat(book.free(IpFamily.V6, T0.plus(COOL)))
                .as("and used again")
                .isEqualTo(AddressBook.MOST_OF_A_BLOCK + 1);
    }

    @Test
    void anAddressThatIsNamedIsTakenOrItIsSaidWhyNot() {
        book.addBlock(IpPrefix.parse("10.0.0.0/29"));
        IpAddress five = IpAddress.parse("10.0.0.5");
        assertThat(named("a", V4, "", "10.0.0.5")).isEqualTo(new Taking.Taken<>(addresses("10.0.0.5")));
        assertThat(named("a", V4, "", "10.0.0.5"))
                .as("twice is once")
                .isEqualTo(new Taking.Taken<>(addresses("10.0.0.5")));
        assertThat(named("b", V4, "", "10.0.0.5")).isEqualTo(new Taking.Held<>(five, "a"));
        book.release("a", T0);
        assertThat(named("b", V4, "", "10.0.0.5")).isEqualTo(new Taking.Cooling<>(five));
        assertThat(named("b", V4, "", "10.0.9.5")).isEqualTo(new Taking.Elsewhere<>(IpAddress.parse("10.0.9.5")));
        assertThat(book.heldBy("b")).as("nothing was taken").isEmpty();
        assertThat(book.takeThis("b", V4, List.of(five), "", T0.plus(COOL)))
                .as("once it is cool")
                .isEqualTo(new Taking.Taken<>(addresses("10.0.0.5")));
        assertThat(book.take("c", V4, T0.plus(COOL)).orElseThrow().list()).doesNotContain(five);
        assertThatIllegalStateException()
                .isThrownBy(() -> named("b", V4, "", "10.0.0.6"))
                .withMessageContaining("b holds 10.0.0.5");
    }

    @Test
    void aLentAddressIsItsOwnersAndNeitherCoolsNorStays() {
        book.addBlock(IpPrefix.parse("10.0.0.0/30"));
        book.addBlock(IpPrefix.parse("fd00::/127"));
        IpAddress lent = IpAddress.parse("10.9.0.5");
        IpAddress own = IpAddress.parse("10.0.0.2");
        assertThat(book.outside(List.of(own, lent))).containsExactly(lent);
        book.lend("a", List.of(lent));
        assertThat(book.lent()).containsExactly(lent);
        assertThat(book.outside(List.of(lent))).as("somebody has it").isEmpty();
        assertThat(named("a", BOTH, "", "10.9.0.5"))
                .as("with any of the other family")
                .isEqualTo(new Taking.Taken<>(addresses("10.9.0.5", "fd00::")));
        assertThat(named("b", V4, "", "10.9.0.5")).isEqualTo(new Taking.Held<>(lent, "a"));
        assertThatIllegalStateException().isThrownBy(() -> book.lend("b", List.of(own, lent)));
        assertThat(book.heldBy("b")).as("all or none").isEmpty();
        assertThat(book.holdings(T0).held()).containsKey(lent);

        assertThat(book.release("a", T0)).as("what cools").containsExactly(IpAddress.parse("fd00::"));
        assertThat(book.cooling(T0)).doesNotContain(lent);
        assertThat(book.lent()).isEmpty();
        assertThat(book.free(IpFamily.V4, T0)).as("of the block").isEqualTo(4);
    }

    @Test
    void aNamedAddressAndAnyOfTheOtherFamilyAreTakenTogetherOrNeither() {
        book.addBlock(IpPrefix.parse("10.0.0.0/30"));
        book.addBlock(IpPrefix.parse("fd00::/127"));
        assertThat(named("a", BOTH, "", "fd00::1")).isEqualTo(new Taking.Taken<>(addresses("10.0.0.0", "fd00::1")));
        assertThat(named("b", BOTH, "", "10.0.0.2", "fd00::1"))
                .isEqualTo(new Taking.Held<>(IpAddress.parse("fd00::1"), "a"));
        assertThat(book.heldBy("b")).isEmpty();
        assertThat(named("c", BOTH, "", "10.0.0.2")).isEqualTo(new Taking.Taken<>(addresses("10.0.0.2", "fd00::")));
        assertThat(named("d", BOTH, "", "10.0.0.3"))
                .as("IPv6 is used up")
                .isEqualTo(new Taking.Exhausted<>(IpFamily.V6, ""));
        assertThat(book.heldBy("d")).isEmpty();
        assertThat(book.free(IpFamily.V4, T0)).isEqualTo(2);
    }

    @Test
    void aPoolThatIsNamedGivesFromItsBlocksAlone() {
        book.addBlock(IpPrefix.parse("10.0.0.0/30"), "red");
        book.addBlock(IpPrefix.parse("10.0.0.8/31"), "blue");
        book.addBlock(IpPrefix.parse("fd00::/127"), "six");
        assertThat(book.free(IpFamily.V4, "blue", T0)).isEqualTo(2);
        assertThat(named("a", V4, "blue")).isEqualTo(new Taking.Taken<>(addresses("10.0.0.8")));
        assertThat(named("b", BOTH, "blue"))
                .as("the other family comes from any")
                .isEqualTo(new Taking.Taken<>(addresses("10.0.0.9", "fd00::")));
        assertThat(named("c", V4, "blue")).isEqualTo(new Taking.Exhausted<>(IpFamily.V4, "blue"));
        assertThat(named("c", V4, "green")).isEqualTo(new Taking.NoBlock<>("green"));
        assertThat(named("c", V4, "six"))
                .as("a pool of a family that is not wanted")
                .isEqualTo(new Taking.NoBlock<>("six"));
        assertThat(named("c", V4, "blue", "10.0.0.1"))
                .isEqualTo(new Taking.OtherPool<>(IpAddress.parse("10.0.0.1"), IpPrefix.parse("10.0.0.0/30"), "red"));
        assertThat(named("c", V4, "red", "10.0.0.1")).isEqualTo(new Taking.Taken<>(addresses("10.0.0.1")));
        book.removeBlock(IpPrefix.parse("10.0.0.8/31"));
        assertThat(named("d", V4, "blue")).as("its block is gone").isEqualTo(new Taking.NoBlock<>("blue"));
    }

    private Taking<String> named(String owner, Set<IpFamily> families, String pool, String... these) {
        return book.takeThis(
                owner,
                families,
                java.util.Arrays.stream(these).map(IpAddress::parse).toList(),
                pool,
                T0);
    }

    private static PodAddresses addresses(String... texts) {
        return PodAddresses.parse(java.util.List.of(texts));
    }

    @Test
    void negativeCoolDownIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AddressBook<String>(Duration.ofNanos(-1)))
                .withMessageContaining("0 or more");
    }
}
