package io.podwire.route.reflect.bgp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.route.bgp.message.AsPath;
import io.podwire.route.bgp.message.Community;
import io.podwire.route.bgp.message.LargeCommunity;
import io.podwire.route.bgp.message.PathAttribute;
import io.podwire.route.bgp.message.PathAttributes;
import io.podwire.route.reflect.bgp.ReflectionRules.Advertised;
import io.podwire.route.reflect.bgp.ReflectionRules.Refusal;
import io.podwire.route.rib.bgp.BgpPath;
import io.podwire.route.rib.bgp.Neighbor;
import io.podwire.route.rib.bgp.Neighbor.Kind;
import io.podwire.route.rib.bgp.Source;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ReflectionRulesTest {
    private static final IpPrefix PREFIX = IpPrefix.parse("203.0.113.0/24");
    private static final IpAddress HOP = IpAddress.parse("10.0.0.7");
    private static final LocalRouter LOCAL =
            new LocalRouter(64512, IpAddress.parse("192.0.2.1"), IpAddress.parse("192.0.2.100"));
    private static final PathAttributes INTERNAL = PathAttributes.of(
            new PathAttribute.Origin(PathAttribute.OriginKind.IGP),
            new PathAttribute.Path(AsPath.of(65000L)),
            new PathAttribute.Med(5),
            new PathAttribute.LocalPref(150));
    private static final PeerPolicy ALL = new PeerPolicy(
            PrefixList.NOTHING,
            new PeerPolicy.Export.Listed(PrefixList.parse(List.of("0.0.0.0/0 le 32"))),
            List.of(),
            List.of());

    /** RFC 4456 §6, with a policy that permits all. */
    @ParameterizedTest
    @CsvSource({
        "CLIENT,     CLIENT,     true",
        "CLIENT,     NON_CLIENT, true",
        "CLIENT,     EXTERNAL,   true",
        "NON_CLIENT, CLIENT,     true",
        "NON_CLIENT, NON_CLIENT, false",
        "NON_CLIENT, EXTERNAL,   true",
        "EXTERNAL,   CLIENT,     true",
        "EXTERNAL,   NON_CLIENT, true",
        "EXTERNAL,   EXTERNAL,   true",
    })
    void whoIsToldWhat(Kind from, Kind to, boolean told) {
        assertThat(export(learned(from, INTERNAL), to, ALL).isPresent()).isEqualTo(told);
    }

    @Test
    void nobodyIsToldWhatItSaidItself() {
        Neighbor peer = neighbor(Kind.CLIENT, 5);
        BgpPath path = new BgpPath(new Source.Learned(peer), HOP, INTERNAL, false);
        assertThat(ReflectionRules.export(PREFIX, path, peer, LOCAL, ALL)).isEmpty();
    }

    /** RFC 4456 §8. */
    @Test
    void reflectionAddsWhereARouteCameFromAndThroughWhom() {
        Advertised first = export(learned(Kind.CLIENT, INTERNAL), Kind.CLIENT, PeerPolicy.DEFAULT)
                .orElseThrow();
        assertThat(first.nextHop()).isEqualTo(HOP);
        assertThat(first.attributes().originatorId()).contains(IpAddress.parse("192.0.2.5"));
        assertThat(first.attributes().clusterList()).containsExactly(LOCAL.clusterId());
        assertThat(first.attributes().localPref()).isEqualTo(150);
        assertThat(first.attributes().asPath()).isEqualTo(AsPath.of(65000L));

        IpAddress other = IpAddress.parse("192.0.2.50");
        Advertised second = export(
                        learned(
                                Kind.NON_CLIENT,
                                INTERNAL.with(new PathAttribute.OriginatorId(other))
                                        .with(new PathAttribute.ClusterList(List.of(other)))),
                        Kind.CLIENT,
                        PeerPolicy.DEFAULT)
                .orElseThrow();
        assertThat(second.attributes().originatorId()).as("set once").contains(other);
        assertThat(second.attributes().clusterList()).containsExactly(LOCAL.clusterId(), other);
    }

    @Test
    void whatAnotherAsToldIsNotReflectedButAnnounced() {
        PathAttributes external = PathAttributes.of(
                new PathAttribute.Origin(PathAttribute.OriginKind.IGP), new PathAttribute.Path(AsPath.of(64513L)));
        Advertised told = export(learned(Kind.EXTERNAL, external), Kind.CLIENT, PeerPolicy.DEFAULT)
                .orElseThrow();
        assertThat(told.attributes()).isEqualTo(external.with(new PathAttribute.LocalPref(100)));
    }

    @Test
    void otherAsesAreToldOurAsAndNothingOfItsInside() {
        BgpPath path = learned(
                Kind.CLIENT,
                INTERNAL.with(new PathAttribute.OriginatorId(HOP)).with(new PathAttribute.ClusterList(List.of(HOP))));
        Advertised told = export(path, Kind.EXTERNAL, ALL).orElseThrow();
        assertThat(told)
                .isEqualTo(new Advertised(
                        HOP,
                        PathAttributes.of(
                                new PathAttribute.Origin(PathAttribute.OriginKind.IGP),
                                new PathAttribute.Path(AsPath.of(64512L, 65000L)))));
    }

    @Test
    void whatANodeHoldsGoesToEverybodyWithTheCommunitiesOfTheRule() {
        BgpPath node = new BgpPath(new Source.Node(new NodeName("a")), HOP, ReflectionRules.ofNode(false), false);
        Community community = Community.parse("64512:7");
        LargeCommunity large = LargeCommunity.parse("64512:1:2");
        PeerPolicy policy = new PeerPolicy(
                PrefixList.NOTHING, new PeerPolicy.Export.Reflected(), List.of(community), List.of(large));

        Advertised internal = export(node, Kind.NON_CLIENT, policy).orElseThrow();
        assertThat(internal.nextHop()).as("the node's").isEqualTo(HOP);
        assertThat(internal.attributes().asPath()).isEqualTo(AsPath.EMPTY);
        assertThat(internal.attributes().communities()).containsExactly(community);
        assertThat(internal.attributes().largeCommunities()).containsExactly(large);
        assertThat(internal.attributes().originatorId())
                .as("we are where it comes from")
                .isEmpty();
        Advertised external = export(node, Kind.EXTERNAL, policy).orElseThrow();
        assertThat(external.nextHop()).isEqualTo(HOP);
        assertThat(external.attributes().asPath()).isEqualTo(AsPath.of(64512L));
    }

    /** RFC 8212: without a rule nothing goes through us from one AS to another. */
    @Test
    void withoutARuleWeAreNoTransit() {
        assertThat(export(learned(Kind.EXTERNAL, INTERNAL), Kind.EXTERNAL, PeerPolicy.DEFAULT))
                .isEmpty();
        assertThat(export(learned(Kind.CLIENT, INTERNAL), Kind.EXTERNAL, PeerPolicy.DEFAULT))
                .isEmpty();
        assertThat(PeerPolicy.DEFAULT.importRules().permits(PREFIX)).isFalse();
    }

    @Test
    void wellKnownCommunitiesAreObeyed() {
        BgpPath secret = learned(Kind.CLIENT, with(Community.NO_ADVERTISE));
        assertThat(export(secret, Kind.CLIENT, ALL)).isEmpty();
        for (Community community : List.of(Community.NO_EXPORT, Community.NO_EXPORT_SUBCONFED)) {
            BgpPath ours = learned(Kind.CLIENT, with(community));
            assertThat(export(ours, Kind.EXTERNAL, ALL)).isEmpty();
            assertThat(export(ours, Kind.CLIENT, ALL)).isPresent();
        }
        assertThat(ReflectionRules.imported(with(Community.GRACEFUL_SHUTDOWN)).localPref())
                .as("RFC 8326")
                .isZero();
    }

    @Test
    void loopsAreRefused() {
        Neighbor client = neighbor(Kind.CLIENT, 5);
        assertThat(ReflectionRules.refusal(INTERNAL, client, LOCAL)).isEmpty();
        assertThat(ReflectionRules.refusal(
                        INTERNAL.with(new PathAttribute.Path(AsPath.of(65000L, 64512L))), client, LOCAL))
                .contains(Refusal.AS_LOOP);
        assertThat(ReflectionRules.refusal(
                        INTERNAL.with(new PathAttribute.OriginatorId(LOCAL.identifier())), client, LOCAL))
                .contains(Refusal.ORIGINATOR_LOOP);
        assertThat(ReflectionRules.refusal(
                        INTERNAL.with(new PathAttribute.ClusterList(List.of(HOP, LOCAL.clusterId()))), client, LOCAL))
                .contains(Refusal.CLUSTER_LOOP);
        Neighbor external = neighbor(Kind.EXTERNAL, 5);
        assertThat(ReflectionRules.refusal(INTERNAL.with(new PathAttribute.Path(AsPath.of(65000L))), external, LOCAL))
                .as("its first AS is not the neighbour's")
                .contains(Refusal.FIRST_AS);
    }

    @Test
    void prefixListsTakeTheFirstRuleThatMatches() {
        PrefixList list = PrefixList.parse(
                List.of("deny 10.1.0.0/16 ge 16 le 32", "10.0.0.0/8 le 24", "192.0.2.0/24", "2001:db8::/32 ge 48"));
        assertThat(list.permits(IpPrefix.parse("10.0.0.0/8"))).isTrue();
        assertThat(list.permits(IpPrefix.parse("10.2.3.0/24"))).isTrue();
        assertThat(list.permits(IpPrefix.parse("10.2.3.0/25")))
                .as("longer than le")
                .isFalse();
        assertThat(list.permits(IpPrefix.parse("10.1.3.0/24")))
                .as("denied before")
                .isFalse();
        assertThat(list.permits(IpPrefix.parse("192.0.2.0/24"))).isTrue();
        assertThat(list.permits(IpPrefix.parse("192.0.2.0/25")))
                .as("that one alone")
                .isFalse();
        assertThat(list.permits(IpPrefix.parse("2001:db8:1::/48"))).isTrue();
        assertThat(list.permits(IpPrefix.parse("2001:db8::/32"))).isFalse();
        assertThat(list.permits(IpPrefix.parse("0.0.0.0/0")))
                .as("nothing says so")
                .isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "10.0.0.0",
                "10.0.0.1/8",
                "10.0.0.0/8 le 7",
                "10.0.0.0/8 ge 30 le 20",
                "10.0.0.0/8 le 33",
                "allow 10.0.0.0/8"
            })
    void whatIsNoRuleIsNamed(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> PrefixList.parse(List.of(text)));
    }

    private static PathAttributes with(Community community) {
        return INTERNAL.with(new PathAttribute.Communities(List.of(community)));
    }

    private static BgpPath learned(Kind from, PathAttributes attributes) {
        return new BgpPath(new Source.Learned(neighbor(from, 5)), HOP, attributes, false);
    }

    private static Optional<Advertised> export(BgpPath path, Kind to, PeerPolicy policy) {
        return ReflectionRules.export(PREFIX, path, neighbor(to, 6), LOCAL, policy);
    }

    private static Neighbor neighbor(Kind kind, int number) {
        return new Neighbor(
                IpAddress.parse("10.9.0." + number),
                kind == Kind.EXTERNAL ? 64513 : 64512,
                kind,
                IpAddress.parse("192.0.2." + number));
    }
}
