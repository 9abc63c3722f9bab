package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.testing.Seeds;
import io.podwire.node.nft.backend.NftException;
import io.podwire.node.nft.diff.ListedTable;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.Command;
import io.podwire.node.nft.model.NftSet;
import io.podwire.node.nft.model.Table;
import io.podwire.node.nft.model.TableId;
import io.podwire.node.plan.AddressSet;
import io.podwire.node.plan.DirectionPolicy;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.EndpointPolicy;
import io.podwire.node.plan.ExpectedPod;
import io.podwire.node.plan.LocalEndpoint;
import io.podwire.node.plan.Masquerade;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.PodName;
import io.podwire.node.plan.RandomInputs;
import io.podwire.node.plan.RulesetInput;
import io.podwire.node.plan.RulesetPlan;
import io.podwire.node.plan.RulesetPlanner;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

final class RulesetReconcilerTest {
    private static final Set<IpFamily> V4 = Set.of(IpFamily.V4);
    private static final int VXLAN_PORT = 4789;

    private final WatchedNft nft = new WatchedNft();
    private final EventLoop loop = new EventLoop("ruleset-test");
    private final RulesetReconciler reconciler = new RulesetReconciler(nft, loop, V4, VXLAN_PORT, Masquerade.NONE);

    @AfterEach
    void stop() {
        loop.close();
    }

    @Test
    void theFirstSyncOnACleanNodeWritesAllInOneTransaction() {
        assertThat(reconciler.healthy()).as("before").isFalse();
        reconciler.start(List.of(endpoint(1)), Optional.of(covering(7, 1)));
        assertThat(nft.asked()).hasSize(1);
        assertWroteAll("first", 0);
        assertThat(reconciler.healthy()).isTrue();
        assertThat(reconciler.revision()).isEqualTo(7);
        assertKernelHas(Optional.of(covering(7, 1)), endpoint(1));
    }

    @Test
    void withoutPolicyServiceAnEndpointIsCoveredAtOnce() {
        reconciler.start(List.of(), Optional.empty());
        assertThat(now(reconciler.attach(endpoint(1)))).as("revision").isZero();
        assertKernelHas(Optional.empty(), endpoint(1));
    }

    @Test
    void anEndpointWaitsForAProgramThatCoversIt() {
        reconciler.start(List.of(), Optional.of(NodeProgram.EMPTY));
        CompletableFuture<Long> waiting = reconciler.attach(endpoint(1));
        now(reconciler.program(covering(3, 2)));
        assertThat(waiting).as("revision 3 does not cover it").isNotDone();
        assertThat(ingress()).as("no entry: nothing reaches it").isEmpty();

        now(reconciler.program(covering(4, 1, 2)));
        assertThat(now(waiting)).isEqualTo(4);
        assertThat(ingress()).hasSize(1);
        assertKernelHas(Optional.of(covering(4, 1, 2)), endpoint(1));
    }

    @Test
    void anEndpointThatTheProgramCoversAlreadyNeedsNoOther() {
        reconciler.start(List.of(), Optional.of(covering(9, 1)));
        assertThat(now(reconciler.attach(endpoint(1)))).isEqualTo(9);
    }

    @Test
    void anExpectedPodIsCoveredAtOnceAndItsAddressIsInTheSets() {
        NodeProgram expecting = expecting(5, endpoint(1), covering(5, 2));
        reconciler.start(List.of(), Optional.of(expecting));
        assertThat(now(reconciler.attach(endpoint(1)))).as("revision").isEqualTo(5);
        assertThat(ingress()).hasSize(1);
        assertThat(members("sel-web-4")).containsExactly("10.1.0.1", "10.9.0.9");

        int before = nft.asked().size();
        NodeProgram told = new NodeProgram(
                6,
                covering(6, 1, 2).endpoints(),
                new TreeMap<>(Map.of("web", web("10.1.0.1/32", "10.9.0.9/32"))),
                expecting.expected());
        now(reconciler.program(told));
        assertThat(nft.asked()).as("the program says what is enforced already").hasSize(before);
    }

    @Test
    void anExpectedPodThatLeavesIsInNoSet() {
        reconciler.start(List.of(), Optional.of(expecting(5, endpoint(1), covering(5))));
        now(reconciler.attach(endpoint(1)));
        now(reconciler.detach(endpoint(1).key()));
        assertThat(members("sel-web-4")).containsExactly("10.9.0.9");
    }

    @Test
    void aPodOfThatNameWithAnotherUidIsNotTheExpectedOne() {
        LocalEndpoint one = endpoint(1);
        NodeProgram program = expecting(5, one, covering(5));
        LocalEndpoint other =
                new LocalEndpoint(one.key(), one.pod(), "another", one.hostIfname(), one.mac(), one.addresses());
        reconciler.start(List.of(), Optional.of(program));
        CompletableFuture<Long> waiting = reconciler.attach(other);
        now(reconciler.program(covering(6, 1)));
        assertThat(now(waiting)).isEqualTo(6);
    }

    @Test
    void anyPodOfANamespaceIsCoveredWhereTheProgramSaysSo() {
        PodName anybody = new PodName("ns", "");
        NodeProgram program = new NodeProgram(
                5,
                new TreeMap<>(),
                new TreeMap<>(),
                new TreeMap<>(Map.of(anybody, new ExpectedPod(anybody, "", EndpointPolicy.OPEN, List.of()))));
        reconciler.start(List.of(), Optional.of(program));
        assertThat(now(reconciler.attach(endpoint(3)))).isEqualTo(5);
        LocalEndpoint elsewhere = new LocalEndpoint(
                endpoint(4).key(),
                new PodName("other", "pod-4"),
                "",
                endpoint(4).hostIfname(),
                endpoint(4).mac(),
                endpoint(4).addresses());
        CompletableFuture<Long> waiting = reconciler.attach(elsewhere);
        now(reconciler.program(covering(6, 4)));
        assertThat(now(waiting)).isEqualTo(6);
    }

    /** Expects one pod by its name and uid "uid-1", in set "web" besides 10.9.0.9. */
    private static NodeProgram expecting(long revision, LocalEndpoint endpoint, NodeProgram rest) {
        return new NodeProgram(
                revision,
                rest.endpoints(),
                new TreeMap<>(Map.of("web", web("10.9.0.9/32"))),
                new TreeMap<>(Map.of(
                        endpoint.pod(),
                        new ExpectedPod(endpoint.pod(), "uid-1", EndpointPolicy.OPEN, List.of("web")))));
    }

    private static AddressSet web(String... cidrs) {
        return new AddressSet("web", "", Stream.of(cidrs).map(IpPrefix::parse).toList());
    }

    private java.util.Set<String> members(String set) {
        return nft.list(RulesetPlanner.POLICY_TABLE).orElseThrow().sets().get(set);
    }

    @Test
    void aHundredAtOnceAreAFewTransactions() {
        reconciler.start(List.of(), Optional.empty());
        int before = nft.asked().size();
        nft.shut();
        List<CompletableFuture<Long>> attached = new ArrayList<>();
        try {
            for (int i = 1; i <= 100; i++) {
                attached.add(reconciler.attach(endpoint(i)));
            }
        } finally {
            nft.open();
        }
        attached.forEach(RulesetReconcilerTest::now);
        assertThat(nft.asked().size() - before)
                .as("the first one, and one that the others share")
                .isBetween(1, 3);
        assertKernelHas(
                Optional.empty(),
                java.util.stream.IntStream.rangeClosed(1, 100)
                        .mapToObj(RandomInputs::endpoint)
                        .toArray(LocalEndpoint[]::new));
    }

    @Test
    void detachTakesItOutAndAskingTwiceIsAskingOnce() {
        reconciler.start(List.of(endpoint(1), endpoint(2)), Optional.empty());
        now(reconciler.detach(endpoint(1).key()));
        assertKernelHas(Optional.empty(), endpoint(2));
        int transactions = nft.asked().size();
        now(reconciler.detach(endpoint(1).key()));
        assertThat(nft.asked()).as("nothing to do").hasSize(transactions);
    }

    @Test
    void detachEndsTheWaitOfAnEndpointThatWasNeverCovered() {
        reconciler.start(List.of(), Optional.of(NodeProgram.EMPTY));
        CompletableFuture<Long> waiting = reconciler.attach(endpoint(1));
        now(reconciler.detach(endpoint(1).key()));
        assertThat(waiting).isCancelled();
        now(reconciler.program(covering(2, 1)));
        assertKernelHas(Optional.of(covering(2, 1)));
    }

    @Test
    void aRefusedEndpointIsToldForgottenAndTheNextTryWritesEverything() {
        reconciler.start(List.of(endpoint(1)), Optional.empty());
        nft.failNext(1);
        int refusedAt = nft.asked().size();
        CompletableFuture<Long> refused = reconciler.attach(endpoint(2));
        assertThat(refused)
                .failsWithin(Duration.ofSeconds(5))
                .withThrowableThat()
                .withCauseInstanceOf(NftException.class);
        await().atMost(Duration.ofSeconds(5)).until(reconciler::healthy);
        assertWroteAll("what the kernel has is not known after a refusal", refusedAt);
        assertKernelHas(Optional.empty(), endpoint(1));

        assertThat(now(reconciler.attach(endpoint(2)))).as("asked again").isZero();
        assertKernelHas(Optional.empty(), endpoint(1), endpoint(2));
    }

    @Test
    void aRefusalMakesTheNodeUnhealthyUntilTheKernelTookIt() {
        reconciler.start(List.of(endpoint(5)), Optional.of(covering(1)));
        nft.failNext(2);
        CompletableFuture<Long> program = reconciler.program(covering(2, 5));
        assertThat(program).failsWithin(Duration.ofSeconds(5));
        assertThat(reconciler.healthy()).as("after a refusal").isFalse();
        assertThat(reconciler.revision()).as("what the kernel enforces").isEqualTo(1);
        await().atMost(Duration.ofSeconds(8)).until(() -> reconciler.revision() == 2);
        assertThat(reconciler.healthy()).isTrue();
        assertKernelHas(Optional.of(covering(2, 5)), endpoint(5));
    }

    @Test
    void anEndpointThatWaitsForItsProgramOutlivesARefusal() {
        reconciler.start(List.of(), Optional.of(covering(1)));
        CompletableFuture<Long> waiting = reconciler.attach(endpoint(1));
        nft.failNext(1);
        assertThat(reconciler.program(covering(2, 5))).failsWithin(Duration.ofSeconds(5));
        assertThat(waiting).as("revision 2 did not cover it").isNotDone();
        now(reconciler.program(covering(3, 1, 5)));
        assertThat(now(waiting)).isEqualTo(3);
    }

    @Test
    void whatIsAsItWasWrittenIsNotWrittenAnew() {
        reconciler.start(List.of(endpoint(1)), Optional.empty());
        int before = nft.asked().size();
        assertThat(repaired(reconciler.resync())).isEmpty();
        assertThat(nft.asked()).hasSize(before);
    }

    /** Whatever others did, all of it is made as it was. */
    static Stream<Arguments> harms() {
        TableId table = RulesetPlanner.POLICY_TABLE;
        String address = endpoint(1).addresses().first().toString();
        return Stream.of(
                Arguments.of("is gone", new Command.DeleteTable(table)),
                Arguments.of("is gone", new Command.DeleteTable(RulesetPlanner.SPOOF_TABLE)),
                Arguments.of("lacks chain from-pods as it was written", new Command.FlushChain(table, "from-pods")),
                Arguments.of(
                        "has chain theirs, which nobody wanted",
                        new Command.AddChain(table, new Chain.Regular("theirs", List.of()))),
                Arguments.of(
                        "lacks 1 members of set ingress-4, among them " + address + " : return",
                        new Command.DeleteElements(table, "ingress-4", List.of(address))),
                Arguments.of(
                        "has 1 more members in set egress-4, among them 10.9.9.9 : return",
                        new Command.AddElements(table, "egress-4", List.of("10.9.9.9 : return"))),
                Arguments.of(
                        "has set mine, which nobody wanted",
                        new Command.AddSet(table, new NftSet.Ports("mine", List.of()))));
    }

    @ParameterizedTest
    @MethodSource("harms")
    void whatOthersChangedIsWrittenAnew(String problem, Command harm) throws NftException {
        reconciler.start(List.of(endpoint(1)), Optional.empty());
        int before = nft.asked().size();
        assertThat(reconciler.audit()).as("audit before").isEmpty();
        nft.foreign(harm);
        assertThat(reconciler.audit()).as("audit").extracting(Finding::problem).containsExactly(problem);
        assertThat(nft.asked()).as("an audit changes nothing").hasSize(before);
        assertThat(repaired(reconciler.resync()))
                .extracting(repair -> repair.found().problem())
                .containsExactly(problem);
        assertWroteAll("after " + problem, before);
        assertThat(reconciler.healthy()).isTrue();
        assertKernelHas(Optional.empty(), endpoint(1));
        assertThat(repaired(reconciler.resync())).as("once").isEmpty();
        now(reconciler.attach(endpoint(2)));
        assertKernelHas(Optional.empty(), endpoint(1), endpoint(2));
    }

    @Test
    void aForeignTransactionThatLeavesNoTraceIsNotBelieved() {
        reconciler.start(List.of(endpoint(1)), Optional.empty());
        int before = nft.asked().size();
        assertThat(repaired(reconciler.resyncAfter("nft (7)")))
                .extracting(repair -> repair.found().problem())
                .containsExactly("changed, by nft (7)");
        assertWroteAll("though a listing shows nothing", before);
    }

    @Test
    void aRestartUnderTrafficTouchesNoMemberOfASet() {
        reconciler.start(List.of(endpoint(1)), Optional.of(covering(1, 1)));
        int before = nft.asked().size();
        try (EventLoop again = new EventLoop("again")) {
            new RulesetReconciler(nft, again, V4, VXLAN_PORT, Masquerade.NONE)
                    .start(List.of(endpoint(1)), Optional.of(covering(1, 1)));
        }
        assertWroteAll("by the next life", before);
        assertThat(commands(before)).noneMatch(command -> switch (command) {
            case Command.DeleteTable _, Command.AddElements _, Command.DeleteElements _ -> true;
            default -> false;
        });
    }

    @Test
    void aNewChainIsWholeBeforeAnythingLeadsToIt() {
        reconciler.start(List.of(), Optional.of(covering(1)));
        int before = nft.asked().size();
        CompletableFuture<Long> attached = reconciler.attach(endpoint(1));
        DirectionPolicy isolated = new DirectionPolicy(true, List.of(), List.of("default/deny"));
        now(reconciler.program(new NodeProgram(
                2, new TreeMap<>(Map.of(endpoint(1).key(), new EndpointPolicy(isolated, isolated))), new TreeMap<>())));
        now(attached);
        Set<String> made = new HashSet<>();
        for (Transaction transaction : nft.asked().subList(before, nft.asked().size())) {
            Set<String> here = new HashSet<>();
            for (Command command : transaction.commands()) {
                switch (command) {
                    case Command.AddChain(var _, var chain) -> here.add(chain.name());
                    case Command.AddElements(var _, var _, var elements) ->
                        assertThat(elements)
                                .as("led to chains made in the same transaction")
                                .noneMatch(element -> here.stream().anyMatch(element::endsWith));
                    default -> {}
                }
            }
            made.addAll(here);
        }
        assertThat(made).as("chains of the policy").isNotEmpty();
    }

    @Test
    void anAddThatMeetsAFlushedRulesetRepairsItAndSucceeds() throws NftException {
        reconciler.start(List.of(endpoint(1)), Optional.empty());
        nft.foreign(
                new Command.DeleteTable(RulesetPlanner.POLICY_TABLE),
                new Command.DeleteTable(RulesetPlanner.SPOOF_TABLE));
        assertThat(now(reconciler.attach(endpoint(2)))).as("revision").isZero();
        assertKernelHas(Optional.empty(), endpoint(1), endpoint(2));
        assertThat(repaired(reconciler.resync())).as("told afterwards").hasSize(2);
    }

    @Test
    void aRepairThatIsRefusedIsTriedAgainUntilTheKernelTakesIt() throws NftException {
        reconciler.start(List.of(endpoint(1)), Optional.empty());
        nft.foreign(new Command.DeleteTable(RulesetPlanner.POLICY_TABLE));
        // Neither in its place nor as a whole.
        nft.failNext(2);
        assertThat(reconciler.resync()).failsWithin(Duration.ofSeconds(5));
        assertThat(reconciler.healthy()).isFalse();
        await().atMost(Duration.ofSeconds(5)).until(reconciler::healthy);
        assertKernelHas(Optional.empty(), endpoint(1));
    }

    private static List<Repair> repaired(CompletableFuture<List<Repair>> repairs) {
        return repairs.orTimeout(8, TimeUnit.SECONDS).join();
    }

    @Test
    void anEndpointThatCannotBePlannedFailsAloneAndAtOnce() {
        reconciler.start(List.of(endpoint(1)), Optional.empty());
        LocalEndpoint twin = new LocalEndpoint(
                new EndpointKey("twin", "eth0"),
                new PodName("", ""),
                "",
                "pwtwin",
                MacAddress.locallyAdministered(99),
                endpoint(1).addresses());
        assertThat(reconciler.attach(twin)).as("the address has another owner").failsWithin(Duration.ofSeconds(2));
        assertThat(now(reconciler.attach(endpoint(2)))).as("others go on").isZero();
        assertKernelHas(Optional.empty(), endpoint(1), endpoint(2));
    }

    /** After any changes, refusals among them, the kernel holds the plan of what is true. */
    @Test
    void theKernelEqualsThePlanAfterAnySequence() {
        Seeds.forEach(RulesetReconcilerTest.class, 25, random -> {
            WatchedNft backend = new WatchedNft();
            try (EventLoop own = new EventLoop("property")) {
                RulesetReconciler any = new RulesetReconciler(backend, own, V4, VXLAN_PORT, Masquerade.NONE);
                any.start(List.of(), Optional.of(NodeProgram.EMPTY));
                SortedMap<EndpointKey, LocalEndpoint> endpoints = new TreeMap<>();
                RandomInputs inputs = new RandomInputs(random);
                NodeProgram program = NodeProgram.EMPTY;
                for (int step = 0; step < 30; step++) {
                    LocalEndpoint endpoint = endpoint(1 + random.nextInt(5));
                    switch (random.nextInt(3)) {
                        case 0 -> {
                            endpoints.put(endpoint.key(), endpoint);
                            var _ = any.attach(endpoint);
                        }
                        case 1 -> {
                            endpoints.remove(endpoint.key());
                            var _ = any.detach(endpoint.key());
                        }
                        default -> {
                            program = inputs.program();
                            var _ = any.program(program);
                        }
                    }
                }
                now(any.program(program));
                assertKernelHas(backend, Optional.of(program), List.copyOf(endpoints.values()));
            }
        });
    }

    private static LocalEndpoint endpoint(int number) {
        return RandomInputs.endpoint(number);
    }

    private static NodeProgram covering(long revision, int... endpoints) {
        SortedMap<EndpointKey, EndpointPolicy> policies = new TreeMap<>();
        for (int number : endpoints) {
            policies.put(endpoint(number).key(), EndpointPolicy.OPEN);
        }
        return new NodeProgram(revision, policies, new TreeMap<>());
    }

    private List<Command> commands(int after) {
        return nft.asked().subList(after, nft.asked().size()).stream()
                .flatMap(transaction -> transaction.commands().stream())
                .toList();
    }

    /** Rules of every chain that is there were written after so many transactions. */
    private void assertWroteAll(String when, int after) {
        Set<String> written = new TreeSet<>();
        for (Command command : commands(after)) {
            if (command instanceof Command.AddRules(TableId table, Chain chain)) {
                written.add(table + " " + chain.name());
            }
        }
        Set<String> there = new TreeSet<>();
        for (TableId table : List.of(RulesetPlanner.POLICY_TABLE, RulesetPlanner.SPOOF_TABLE)) {
            nft.list(table).orElseThrow().digests().keySet().forEach(chain -> there.add(table + " " + chain));
        }
        assertThat(written).as("chains written, %s", when).isEqualTo(there);
    }

    private java.util.Set<String> ingress() {
        return nft.list(RulesetPlanner.POLICY_TABLE).orElseThrow().sets().entrySet().stream()
                .filter(e -> e.getKey().contains("ingress"))
                .findFirst()
                .orElseThrow()
                .getValue();
    }

    private void assertKernelHas(Optional<NodeProgram> program, LocalEndpoint... endpoints) {
        assertKernelHas(nft, program, List.of(endpoints));
    }

    private static void assertKernelHas(WatchedNft nft, Optional<NodeProgram> program, List<LocalEndpoint> endpoints) {
        for (Table table : RulesetPlan.plan(new RulesetInput(PodNames.BRIDGE, V4, endpoints, program, VXLAN_PORT))
                .tables()
                .values()) {
            ListedTable listed = nft.list(table.id()).orElseThrow();
            ListedTable wanted = ListedTable.expected(table);
            assertThat(listed.digests()).as("chains of %s", table.id()).isEqualTo(wanted.digests());
            assertThat(listed.sets()).as("sets of %s", table.id()).isEqualTo(wanted.sets());
        }
    }

    private static long now(CompletableFuture<Long> future) {
        return future.orTimeout(8, TimeUnit.SECONDS).join();
    }
}
