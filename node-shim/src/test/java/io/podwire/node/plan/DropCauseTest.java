package io.podwire.node.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.node.nft.model.Action;
import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.Rule;
import io.podwire.node.nft.model.Verdict;
import io.podwire.node.plan.DropCause.Direction;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class DropCauseTest {
    @Test
    void theLastRuleOfAnIsolatedDirectionNamesItsPolicies() {
        assertThat(causes(new EndpointPolicy(isolated("ns/a", "other/b"), DirectionPolicy.OPEN)))
                .containsExactly(new DropCause.DefaultDeny(Direction.INGRESS, List.of("ns/a", "other/b")));
        assertThat(causes(new EndpointPolicy(DirectionPolicy.OPEN, isolated("ns/a"))))
                .containsExactly(new DropCause.DefaultDeny(Direction.EGRESS, List.of("ns/a")));
    }

    @Test
    void ofManyPoliciesTheLastSaysHowManyMore() {
        String[] many = IntStream.range(0, 20)
                .mapToObj(i -> "namespace/policy-number-" + (10 + i))
                .toArray(String[]::new);
        DropCause cause =
                causes(new EndpointPolicy(isolated(many), DirectionPolicy.OPEN)).getFirst();
        assertThat(((DropCause.DefaultDeny) cause).policies())
                .startsWith("namespace/policy-number-10")
                .last()
                .asString()
                .matches("and-1[0-9]-more");
    }

    @Test
    void whatNoPolicyDropsIsAGuard() {
        assertThat(DropCause.of("to-pods", "not-covered")).isEqualTo(new DropCause.Guard("not-covered"));
        assertThat(DropCause.of("prerouting", "spoofed")).isEqualTo(new DropCause.Guard("spoofed"));
        assertThat(DropCause.of("ingress-abc", "odd")).isEqualTo(new DropCause.Guard("odd"));
    }

    @Test
    void aRuleThatDeniesIsNamedByPolicyAndPlace() {
        assertThat(DropCause.of("egress-abc", "ns/p:12")).isEqualTo(new DropCause.ByRule(Direction.EGRESS, "ns/p", 12));
    }

    @Test
    void whatIsLoggedNamesTheSameCause() {
        EndpointPolicy policy = new EndpointPolicy(isolated("ns/a", "other/b"), isolated("ns/c"));
        List<String> prefixes = new ArrayList<>();
        for (Chain.Regular chain : chains(policy, Optional.of(new DenialLog(7, 3)))) {
            assertThat(chain.rules().getLast().action()).isEqualTo(new Verdict.Drop());
            Rule log = chain.rules().get(chain.rules().size() - 2);
            assertThat(log.matches()).isEmpty();
            Action.Log action = (Action.Log) log.action();
            assertThat(action.group()).isEqualTo(7);
            assertThat(action.perSecond()).isEqualTo(3);
            prefixes.add(action.prefix());
        }
        assertThat(prefixes)
                .extracting(DropCause::ofLogged)
                .containsExactly(
                        new DropCause.DefaultDeny(Direction.INGRESS, List.of("ns/a", "other/b")),
                        new DropCause.DefaultDeny(Direction.EGRESS, List.of("ns/c")));
    }

    @Test
    void aLongPrefixIsCutToWhatTheKernelTakes() {
        EndpointPolicy policy =
                new EndpointPolicy(isolated("n".repeat(63) + "/" + "p".repeat(200)), DirectionPolicy.OPEN);
        Rule log = chains(policy, Optional.of(new DenialLog(7, 3)))
                .getFirst()
                .rules()
                .get(1);
        assertThat(((Action.Log) log.action()).prefix()).hasSize(Action.Log.MAX_PREFIX);
    }

    private static List<Chain.Regular> chains(EndpointPolicy policy, Optional<DenialLog> log) {
        return EndpointChains.of(policy, Map.of(), log).chains().stream()
                .map(Chain.Regular.class::cast)
                .toList();
    }

    private static DirectionPolicy isolated(String... policies) {
        return new DirectionPolicy(
                true,
                List.of(new PolicyRule(
                        "ns/a", 0, true, List.of(), false, List.of(new PortRange(IpProtocol.TCP, 80, 80)))),
                List.of(policies));
    }

    /** Of the rules that drop and count. */
    private static List<DropCause> causes(EndpointPolicy policy) {
        return EndpointChains.of(policy, Map.of(), Optional.empty()).chains().stream()
                .flatMap(chain -> chain.rules().stream()
                        .filter(Rule::counted)
                        .map(rule -> DropCause.of(chain.name(), rule.comment())))
                .toList();
    }
}
