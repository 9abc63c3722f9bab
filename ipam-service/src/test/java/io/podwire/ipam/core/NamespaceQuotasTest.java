package io.podwire.ipam.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.podwire.common.net.IpAddress;
import io.podwire.common.testing.Seeds;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class NamespaceQuotasTest {
    private static final NamespaceQuotas QUOTAS = new NamespaceQuotas(
            Map.of("shop", OptionalInt.of(3), "kube-system", OptionalInt.empty()), OptionalInt.of(10));

    @Test
    void aNamespaceHasItsOwnQuotaOrTheDefaultOrNone() {
        assertThat(QUOTAS.of("shop")).hasValue(3);
        assertThat(QUOTAS.of("other")).hasValue(10);
        assertThat(QUOTAS.of("kube-system")).isEmpty();
        assertThat(QUOTAS.of("")).as("an address of no namespace").isEmpty();
        assertThat(NamespaceQuotas.NONE.of("shop")).isEmpty();
    }

    @Test
    void theLastOneIsGivenAndNoneBeyond() {
        assertThat(QUOTAS.full("shop", 2)).isFalse();
        assertThat(QUOTAS.full("shop", 3)).isTrue();
        assertThat(QUOTAS.exceeded("shop", 1, 2)).isFalse();
        assertThat(QUOTAS.exceeded("shop", 2, 2)).isTrue();
        assertThat(QUOTAS.exceeded("shop", Integer.MAX_VALUE, 2)).isTrue();
        assertThat(QUOTAS.full("kube-system", Integer.MAX_VALUE)).isFalse();
    }

    @Test
    void onlyALimitCounts() {
        assertThat(QUOTAS.none()).isFalse();
        assertThat(NamespaceQuotas.NONE.none()).isTrue();
        assertThat(new NamespaceQuotas(Map.of("a", OptionalInt.empty()), OptionalInt.empty()).none())
                .isTrue();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new NamespaceQuotas(Map.of("a", OptionalInt.of(-1)), OptionalInt.empty()))
                .withMessageContaining("the quota of a must be 0 addresses or more, got -1");
    }

    @Test
    void theLedgersCountsEqualACountOfAllAddresses() {
        Seeds.forEach(NamespaceQuotasTest.class, 200, random -> {
            Ledger ledger = Ledger.EMPTY;
            for (int step = 0; step < 100; step++) {
                IpAddress address = IpAddress.ofV4(0x0a010000 + random.nextInt(20));
                ledger = random.nextInt(4) == 0
                        ? ledger.withoutAddress(address)
                        : ledger.with(new SingleAddress("p", address, use(random), Instant.EPOCH));
                Map<String, Integer> counted = new TreeMap<>();
                ledger.addresses().stream()
                        .filter(single -> single.use() instanceof AddressUse.InUse)
                        .map(single -> single.use().namespace())
                        .filter(namespace -> !namespace.isEmpty())
                        .forEach(namespace -> counted.merge(namespace, 1, Integer::sum));
                assertThat(ledger.addressesInUse()).isEqualTo(counted);
                assertThat(ledger.addressesInUse("b")).isEqualTo(counted.getOrDefault("b", 0));
            }
        });
    }

    private static AddressUse use(RandomGenerator random) {
        Workload workload = new Workload(random.nextBoolean() ? "a" : "b", "db", 0);
        String namespace = random.nextBoolean() ? "" : random.nextBoolean() ? "a" : "c";
        return switch (random.nextInt(4)) {
            case 0 -> new AddressUse.Cooling();
            case 1 -> new AddressUse.Reserved(workload);
            case 2 -> new AddressUse.InUse(new AddressOwner("o", "", namespace, ""), Optional.empty());
            default -> new AddressUse.InUse(new AddressOwner("o", "", namespace, ""), Optional.of(workload));
        };
    }
}
