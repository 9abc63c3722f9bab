package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.audit.FindingKind;
import io.podwire.ipam.binding.Binding;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressRules;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.AddressWish;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.core.Workload;
import io.podwire.ipam.service.AuditReport.Result;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.IpamStore;
import io.podwire.ipam.store.LedgerSnapshot;
import io.podwire.ipam.store.Outcome;
import io.podwire.ipam.store.Reading;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Audit and repair over each store. Its time is the test's. */
abstract class AuditFlowContract {
    private static final Pool POOL = new Pool("fixed", IpPrefix.parse("10.2.0.0/24"), 26)
            .with(List.of(new PoolEdit.Purpose(PoolPurpose.STATIC)));
    private static final IpAddress FIRST = IpAddress.parse("10.2.0.0");
    private static final NodeEpoch N1 = new NodeEpoch(new NodeName("n1"), "uid-1", "boot", 1);

    private final MeterRegistry meters = new SimpleMeterRegistry();
    private final BindingTable table = new BindingTable();
    private final BindingTable.Stream stream = new BindingTable.Stream(_ -> {});
    private volatile Duration now = Duration.ofSeconds(100);
    private final TimeSource time = new TimeSource() {
        @Override
        public Duration monotonic() {
            return now;
        }

        @Override
        public Instant wall() {
            return Instant.EPOCH.plus(now);
        }
    };
    private AddressFlow addresses;
    private AuditFlow audit;
    private long sequence = 1;

    /** Empty at the start of a test. */
    abstract IpamStore store();

    @BeforeEach
    void begin() {
        new PoolFlow(flow(store())).create(POOL);
        addresses = new AddressFlow(flow(store()), time);
        audit = audit(store());
        table.full(stream, N1, List.of(), now);
    }

    private static CasFlow flow(IpamStore store) {
        return new CasFlow(store, Duration.ofSeconds(10), TimeSource.SYSTEM, Thread::sleep, new Random(1));
    }

    private AuditFlow audit(IpamStore store) {
        return new AuditFlow(flow(store), table, time, Duration.ofSeconds(30), meters);
    }

    private void allocate(String pod) {
        var _ = addresses.allocate(
                new AddressOwner(pod + "/eth0", "n1", "shop", pod),
                List.of(new AddressWish.Any(IpFamily.V4, "")),
                Optional.empty());
    }

    /** The node says what it has, as it does every 10 s. */
    private void says(List<Binding> updated, List<IpAddress> removed) {
        sequence++;
        table.delta(stream, N1, sequence, updated, removed, now);
    }

    private void passes(int seconds) {
        now = now.plusSeconds(seconds);
        says(List.of(), List.of());
    }

    private static Binding use(IpAddress address, String pod) {
        return new Binding(
                address,
                Binding.State.IN_USE,
                new Binding.Holder(pod, "eth0", "shop", pod, "", "podwire"),
                Instant.EPOCH);
    }

    private List<String> look(boolean fix) {
        return look(audit, fix);
    }

    private static List<String> look(AuditFlow audit, boolean fix) {
        return audit.look(fix).rows().stream()
                .map(row ->
                        row.seen().finding().kind() + " " + row.seen().finding().object() + " " + row.result())
                .toList();
    }

    private Ledger ledger() {
        return LedgerSnapshot.read(store()).ledger();
    }

    private AddressUse useOfFirst() {
        return ledger().address(FIRST).orElseThrow().use();
    }

    private double counted(FindingKind kind) {
        return meters.get("podwire.ipam.audit.findings")
                .tag("kind", kind.name().toLowerCase(java.util.Locale.ROOT))
                .gauge()
                .value();
    }

    private double repaired(FindingKind kind) {
        return meters.get("podwire.ipam.audit.repairs")
                .tag("kind", kind.name().toLowerCase(java.util.Locale.ROOT))
                .counter()
                .count();
    }

    private void write(List<Change> changes) {
        assertThat(store().compareAndSet(changes)).isInstanceOf(Outcome.Applied.class);
    }

    @Test
    void whatNobodyUsesIsReleasedAtTheSecondLookAndOnlyWhenAsked() {
        allocate("web");
        assertThat(look(true)).as("the first look").containsExactly("ALLOCATED_NOT_USED 10.2.0.0 EARLY");
        passes(15);
        assertThat(look(true)).containsExactly("ALLOCATED_NOT_USED 10.2.0.0 EARLY");
        passes(14);
        assertThat(look(true)).as("after 29 s").containsExactly("ALLOCATED_NOT_USED 10.2.0.0 EARLY");
        assertThat(counted(FindingKind.ALLOCATED_NOT_USED)).as("not confirmed").isZero();
        assertThat(useOfFirst().user()).isPresent();
        passes(1);
        assertThat(look(false)).as("a dry run").containsExactly("ALLOCATED_NOT_USED 10.2.0.0 PROPOSED");
        assertThat(counted(FindingKind.ALLOCATED_NOT_USED)).isEqualTo(1);
        assertThat(useOfFirst().user()).as("a dry run changes nothing").isPresent();

        assertThat(look(true)).containsExactly("ALLOCATED_NOT_USED 10.2.0.0 DONE");
        assertThat(useOfFirst()).isEqualTo(new AddressUse.Cooling());
        assertThat(repaired(FindingKind.ALLOCATED_NOT_USED)).isEqualTo(1);
        assertThat(look(true)).as("nothing is left").isEmpty();
        assertThat(counted(FindingKind.ALLOCATED_NOT_USED)).isZero();
    }

    @Test
    void whatVanishedStartsAgain() {
        allocate("web");
        look(true);
        passes(20);
        says(List.of(use(FIRST, "web")), List.of());
        assertThat(look(true)).as("it is in use").isEmpty();
        passes(5);
        says(List.of(), List.of(FIRST));
        assertThat(look(true)).containsExactly("ALLOCATED_NOT_USED 10.2.0.0 EARLY");
        passes(20);
        assertThat(look(true)).as("45 s after the first").containsExactly("ALLOCATED_NOT_USED 10.2.0.0 EARLY");
        passes(10);
        assertThat(look(true)).containsExactly("ALLOCATED_NOT_USED 10.2.0.0 DONE");
    }

    @Test
    void anAddressThatWasGivenAnewStartsAgain() {
        Workload workload = new Workload("db", "pg", 0);
        addresses.reserve(List.of(workload), List.of(new AddressWish.Any(IpFamily.V4, "")));
        AddressOwner owner = new AddressOwner("pg-0/eth0", "n1", "db", "pg-0");
        List<AddressWish> wish = List.of(new AddressWish.Any(IpFamily.V4, ""));
        var _ = addresses.allocate(owner, wish, Optional.of(workload));
        look(true);
        passes(20);
        addresses.release(owner.id(), List.of());
        var _ = addresses.allocate(owner, wish, Optional.of(workload));
        passes(15);
        assertThat(look(true)).containsExactly("ALLOCATED_NOT_USED 10.2.0.0 EARLY");
        passes(15);
        look(true);
        passes(15);
        assertThat(look(true)).containsExactly("ALLOCATED_NOT_USED 10.2.0.0 DONE");
        assertThat(useOfFirst()).as("it is its workload's again").isEqualTo(new AddressUse.Reserved(workload));
    }

    @Test
    void nothingIsTakenFromANodeThatIsAwayOrSilent() {
        allocate("web");
        look(true);
        passes(30);
        now = now.plusSeconds(21);
        assertThat(look(true)).as("silent").isEmpty();
        assertThat(meters.get("podwire.ipam.audit.nodes.unjudged").gauge().value())
                .isEqualTo(1);
        passes(0);
        assertThat(look(true)).as("it speaks again").containsExactly("ALLOCATED_NOT_USED 10.2.0.0 EARLY");
        passes(30);
        table.ended(stream);
        assertThat(look(true)).as("away").isEmpty();
        assertThat(useOfFirst().user()).isPresent();
    }

    @Test
    void whatOthersChangeRightBeforeTheRepairIsLeftAlone() {
        allocate("web");
        Racing racing = new Racing(store(), () -> {
            addresses.release("web/eth0", List.of());
            addresses.forget(java.util.Map.of(
                    ledger().address(FIRST).orElseThrow(),
                    LedgerSnapshot.read(store()).version(FIRST)));
            allocate("other");
        });
        AuditFlow raced = audit(racing);
        look(raced, true);
        passes(30);
        racing.armed = true;
        assertThat(look(raced, true)).containsExactly("ALLOCATED_NOT_USED 10.2.0.0 OVERTAKEN");
        assertThat(useOfFirst().user())
                .hasValueSatisfying(owner -> assertThat(owner.id()).isEqualTo("other/eth0"));
    }

    @Test
    void whatANodeSaysRightBeforeTheRepairCounts() {
        allocate("web");
        look(true);
        passes(30);
        Racing racing = new Racing(store(), () -> {});
        AuditFlow raced = audit(racing);
        look(raced, true);
        passes(30);
        // Between the audit's own reading of the store, with the reports before it, and the repair.
        racing.afterRead = () -> says(List.of(use(FIRST, "web")), List.of());
        assertThat(look(raced, true)).containsExactly("ALLOCATED_NOT_USED 10.2.0.0 OVERTAKEN");
        assertThat(useOfFirst().user()).isPresent();
    }

    @Test
    void recordsThatLeadNowhereAreDropped() {
        Block ghost =
                new Block("ghost", IpPrefix.parse("172.16.0.0/26"), AddressRules.SERVICE, "service-172.16.0.0/26");
        Block ofNode = new Block("ghost", IpPrefix.parse("172.16.1.0/26"), N1, "r1");
        SingleAddress lost = new SingleAddress(
                "ghost",
                IpAddress.parse("172.17.0.1"),
                new AddressUse.Reserved(new Workload("db", "pg", 0)),
                Instant.EPOCH);
        write(LedgerSnapshot.read(store()).reserve(List.of(lost), List.of(ghost)));
        write(LedgerSnapshot.read(store()).assign(POOL, ofNode));
        write(List.of(
                new Change.Put("requests/lost", Change.ABSENT, "{\"v\":1,\"block\":\"blocks/fixed/10.2.0.0-26\"}")));
        look(true);
        assertThat(ledger().blocks()).as("at the first look nothing is done").hasSize(2);
        passes(30);
        assertThat(look(true))
                .containsExactly(
                        "HANDLE_WITHOUT_ADDRESS lost DONE",
                        "INVALID_BLOCK 172.16.0.0/26 DONE",
                        "INVALID_BLOCK 172.16.1.0/26 NONE",
                        "ADDRESS_WITHOUT_BLOCK 172.17.0.1 DONE");
        LedgerSnapshot after = LedgerSnapshot.read(store());
        assertThat(after.ledger().blocks())
                .as("a node may give addresses of its block")
                .containsExactly(ofNode);
        assertThat(after.requestIds()).containsExactly("r1");
        assertThat(after.ledger().address(lost.address()).orElseThrow().use()).isEqualTo(new AddressUse.Cooling());
        assertThat(look(true)).containsExactly("INVALID_BLOCK 172.16.1.0/26 NONE");
    }

    @Test
    void aCallRepairsAHundred() {
        IntStream.range(0, 101)
                .forEach(i -> write(List.of(new Change.Put("requests/lost-" + i, Change.ABSENT, "{\"v\":1}"))));
        look(true);
        passes(30);
        List<String> rows = look(true);
        assertThat(rows).filteredOn(row -> row.endsWith(Result.DONE.name())).hasSize(100);
        assertThat(rows).filteredOn(row -> row.endsWith(Result.LEFT.name())).hasSize(1);
        assertThat(look(true)).hasSize(1).allMatch(row -> row.endsWith(Result.DONE.name()));
    }

    @Test
    void theServiceLooksByItself() {
        allocate("web");
        look(false);
        try (Audits audits = new Audits(audit, Duration.ofMillis(1))) {
            assertThat(audits).isNotNull();
            passes(30);
            await("it is confirmed and counted")
                    .untilAsserted(() ->
                            assertThat(counted(FindingKind.ALLOCATED_NOT_USED)).isEqualTo(1));
        }
        assertThat(useOfFirst().user()).as("and nothing more").isPresent();
    }

    /** A store under which others write right before the next write, and things happen right after the next reading. */
    private static final class Racing implements IpamStore {
        private final IpamStore store;
        private final Runnable others;
        private boolean armed;
        private Runnable afterRead = () -> {};

        Racing(IpamStore store, Runnable others) {
            this.store = store;
            this.others = others;
        }

        @Override
        public Reading read(long since) {
            Reading reading = store.read(since);
            Runnable then = afterRead;
            afterRead = () -> {};
            then.run();
            return reading;
        }

        @Override
        public long revision() {
            return store.revision();
        }

        @Override
        public Outcome compareAndSet(List<Change> changes) {
            if (armed) {
                armed = false;
                others.run();
            }
            return store.compareAndSet(changes);
        }

        @Override
        public boolean connected() {
            return true;
        }

        @Override
        public void close() {}
    }
}
