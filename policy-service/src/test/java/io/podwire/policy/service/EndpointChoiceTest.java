package io.podwire.policy.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.policy.model.EndpointSlice.Conditions;
import io.podwire.policy.model.EndpointSlice.Hints;
import io.podwire.policy.service.EndpointChoice.Preference;
import io.podwire.policy.service.EndpointChoice.Verdict;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** The cases that kube-proxy's own choice is tested with, by their names, and what is said of each endpoint. */
class EndpointChoiceTest {
    private static final Place HERE = new Place("here", "zone-a");
    private static final Place ZONELESS = new Place("here", "");

    private static final Traffic CLUSTER = new Traffic(false, false, false);
    private static final Traffic INTERNAL_LOCAL = new Traffic(true, false, false);
    private static final Traffic INTERNAL_LOCAL_WITH_NODE_PORT = new Traffic(true, false, true);
    private static final Traffic EXTERNAL_LOCAL = new Traffic(false, true, true);
    private static final Traffic BOTH_LOCAL = new Traffic(true, true, true);

    private static final Conditions NOT_READY = new Conditions(false, false, false);
    private static final Conditions LAST_RESORT = new Conditions(false, true, true);
    private static final Conditions DYING = new Conditions(false, false, true);

    /** Endpoint 10.1.0.n:8080. */
    private static PortEndpoint endpoint(int n, Conditions conditions, String node, Hints hints) {
        return new PortEndpoint(IpAddress.parse("10.1.0." + n), 8080, conditions, node, "x/pod-" + n, hints);
    }

    private static PortEndpoint ready(int n, String node) {
        return endpoint(n, Conditions.READY, node, Hints.NONE);
    }

    private static PortEndpoint zoned(int n, String... zones) {
        return endpoint(n, Conditions.READY, "there", zones(zones));
    }

    private static Hints zones(String... zones) {
        return new Hints(Set.of(zones), Set.of());
    }

    private static PortEndpoint meant(int n, String zone, String node) {
        return endpoint(n, Conditions.READY, node, new Hints(Set.of(zone), Set.of(node)));
    }

    /** What was chosen, by the last part of addresses. */
    private record Chosen(EndpointChoice choice) {
        Chosen cluster(Integer... numbers) {
            assertThat(numbers(choice.cluster())).as("for policy Cluster").containsExactly(numbers);
            return this;
        }

        Chosen local(Integer... numbers) {
            assertThat(numbers(choice.local())).as("for policy Local").containsExactly(numbers);
            return this;
        }

        void somewhere(boolean any) {
            assertThat(choice.hasEndpoints()).as("has endpoints somewhere").isEqualTo(any);
        }

        private static List<Integer> numbers(List<PortEndpoint> endpoints) {
            return endpoints.stream()
                    .map(endpoint -> (int) endpoint.address().bytes()[3])
                    .toList();
        }
    }

    private static Chosen choose(Traffic traffic, Place place, PortEndpoint... endpoints) {
        List<PortEndpoint> all = List.of(endpoints);
        EndpointChoice choice = EndpointChoice.of(traffic, all, place);
        List<Verdict> verdicts = EndpointChoice.explain(traffic, all, place);
        assertThat(verdicts)
                .extracting(Verdict::endpoint)
                .as("each is explained")
                .containsExactly(endpoints);
        assertThat(verdicts).allSatisfy(verdict -> {
            assertThat(verdict.chosen()).isEqualTo(choice.cluster().contains(verdict.endpoint()));
            assertThat(verdict.chosenLocally()).isEqualTo(choice.local().contains(verdict.endpoint()));
            assertThat(verdict.reason()).isNotBlank();
        });
        return new Chosen(choice);
    }

    @Test
    @DisplayName(
            "should use topology since all endpoints have hints, node has a zone label and and there are endpoints for the node's zone")
    void followsZones() {
        choose(CLUSTER, HERE, zoned(1, "zone-a"), zoned(2, "zone-b"), zoned(3, "zone-a"), zoned(4, "zone-c"))
                .cluster(1, 3)
                .local()
                .somewhere(true);
    }

    private static final PortEndpoint[] ZONES_ACROSS_NODES = {
        endpoint(1, Conditions.READY, "here", zones("zone-a")),
        endpoint(2, Conditions.READY, "here", zones("zone-b")),
        endpoint(3, Conditions.READY, "there", zones("zone-c")),
        endpoint(4, Conditions.READY, "there", zones("zone-a"))
    };

    @Test
    @DisplayName("externalTrafficPolicy: Local, topology ignored for Local endpoints")
    void zonesDoNotMatterForExternalLocal() {
        choose(EXTERNAL_LOCAL, HERE, ZONES_ACROSS_NODES)
                .cluster(1, 4)
                .local(1, 2)
                .somewhere(true);
    }

    @Test
    @DisplayName("internalTrafficPolicy: Local, topology ignored for Local endpoints")
    void zonesDoNotMatterForInternalLocal() {
        choose(INTERNAL_LOCAL_WITH_NODE_PORT, HERE, ZONES_ACROSS_NODES)
                .cluster(1, 4)
                .local(1, 2)
                .somewhere(true);
    }

    @Test
    @DisplayName("empty node labels")
    void withoutLabels() {
        choose(CLUSTER, ZONELESS, zoned(1, "zone-a")).cluster(1).somewhere(true);
    }

    @Test
    @DisplayName("empty zone label")
    void withAnEmptyZone() {
        choose(CLUSTER, new Place("here", ""), zoned(1, "zone-a"), zoned(2, ""))
                .cluster(1, 2)
                .somewhere(true);
    }

    @Test
    @DisplayName("node in different zone, no endpoint filtering")
    void noneForThisZone() {
        choose(CLUSTER, new Place("here", "zone-z"), zoned(1, "zone-a"), zoned(2, "zone-b"))
                .cluster(1, 2)
                .somewhere(true);
    }

    @Test
    @DisplayName("unready endpoint")
    void unready() {
        choose(CLUSTER, HERE, zoned(1, "zone-a"), endpoint(2, NOT_READY, "there", zones("zone-a")), zoned(3, "zone-b"))
                .cluster(1)
                .somewhere(true);
    }

    @Test
    @DisplayName("only unready endpoints in same zone (should not filter)")
    void onlyUnreadyInThisZone() {
        choose(CLUSTER, HERE, endpoint(1, NOT_READY, "there", zones("zone-a")), zoned(2, "zone-b"), zoned(3, "zone-c"))
                .cluster(2, 3)
                .somewhere(true);
    }

    @Test
    @DisplayName("missing hints, no filtering applied")
    void oneWithoutHint() {
        choose(CLUSTER, HERE, zoned(1, "zone-a"), zoned(2), zoned(3, "zone-b"))
                .cluster(1, 2, 3)
                .somewhere(true);
    }

    @Test
    @DisplayName("multiple hints per endpoint, filtering includes any endpoint with zone included")
    void severalZones() {
        choose(
                        CLUSTER,
                        HERE,
                        zoned(1, "zone-b", "zone-a"),
                        zoned(2, "zone-b", "zone-c"),
                        zoned(3, "zone-a", "zone-b", "zone-c"))
                .cluster(1, 3)
                .somewhere(true);
    }

    /** There is no gate here: where a cluster has it disabled, hints are for zones alone. */
    @Test
    @DisplayName("PreferSameNode falls back to same-zone when feature gate disabled")
    void zonesWithoutNodes() {
        Chosen chosen = choose(
                CLUSTER,
                HERE,
                endpoint(1, Conditions.READY, "here", zones("zone-a")),
                endpoint(2, Conditions.READY, "there", zones("zone-a")),
                endpoint(3, Conditions.READY, "far", zones("zone-b")));
        chosen.cluster(1, 2).somewhere(true);
        assertThat(chosen.choice().preference()).isEqualTo(Preference.SAME_ZONE);
    }

    @Test
    @DisplayName("PreferSameNode available")
    void sameNode() {
        Chosen chosen = choose(
                CLUSTER, HERE, meant(1, "zone-a", "here"), meant(2, "zone-a", "there"), meant(3, "zone-b", "far"));
        chosen.cluster(1).somewhere(true);
        assertThat(chosen.choice().preference()).isEqualTo(Preference.SAME_NODE);
    }

    @Test
    @DisplayName("PreferSameNode ignored if some endpoints unhinted")
    void sameNodeWithOneUnhinted() {
        choose(CLUSTER, HERE, meant(1, "zone-a", "here"), ready(2, "there"), meant(3, "zone-b", "far"))
                .cluster(1, 2, 3)
                .somewhere(true);
    }

    @Test
    @DisplayName("PreferSameNode falls back to PreferSameZone if no endpoint for node")
    void noneForThisNode() {
        choose(CLUSTER, HERE, meant(1, "zone-a", "there"), meant(2, "zone-a", "near"), meant(3, "zone-b", "far"))
                .cluster(1, 2)
                .somewhere(true);
    }

    @Test
    @DisplayName("conflicting topology and localness require merging allEndpoints")
    void topologyAndLocalnessConflict() {
        choose(
                        EXTERNAL_LOCAL,
                        HERE,
                        endpoint(1, Conditions.READY, "here", zones("zone-b")),
                        endpoint(2, Conditions.READY, "there", zones("zone-a")),
                        endpoint(3, Conditions.READY, "there", zones("zone-b")))
                .cluster(2)
                .local(1)
                .somewhere(true);
    }

    @Test
    @DisplayName("internalTrafficPolicy: Local, with empty endpoints")
    void internalLocalWithoutEndpoints() {
        choose(INTERNAL_LOCAL, ZONELESS).cluster().local().somewhere(false);
    }

    @Test
    @DisplayName("internalTrafficPolicy: Local, but all endpoints are remote")
    void internalLocalAllRemote() {
        choose(INTERNAL_LOCAL, ZONELESS, ready(1, "there"), ready(2, "far"))
                .cluster()
                .local()
                .somewhere(true);
    }

    @Test
    @DisplayName("internalTrafficPolicy: Local, all endpoints are local")
    void internalLocalAllLocal() {
        choose(INTERNAL_LOCAL, ZONELESS, ready(1, "here"), ready(2, "here"))
                .cluster()
                .local(1, 2)
                .somewhere(true);
    }

    @Test
    @DisplayName("internalTrafficPolicy: Local, some endpoints are local")
    void internalLocalSomeLocal() {
        choose(INTERNAL_LOCAL, ZONELESS, ready(1, "here"), ready(2, "there"))
                .cluster()
                .local(1)
                .somewhere(true);
    }

    @Test
    @DisplayName("Cluster traffic policy, endpoints not Ready")
    void clusterNoneReady() {
        choose(
                        CLUSTER,
                        ZONELESS,
                        endpoint(1, NOT_READY, "here", Hints.NONE),
                        endpoint(2, NOT_READY, "there", Hints.NONE))
                .cluster()
                .somewhere(false);
    }

    @Test
    @DisplayName("Cluster traffic policy, some endpoints are Ready")
    void clusterSomeReady() {
        choose(CLUSTER, ZONELESS, endpoint(1, NOT_READY, "here", Hints.NONE), ready(2, "there"))
                .cluster(2)
                .somewhere(true);
    }

    @Test
    @DisplayName("Cluster traffic policy, all endpoints are terminating")
    void clusterAllTerminating() {
        choose(
                        CLUSTER,
                        ZONELESS,
                        endpoint(1, LAST_RESORT, "here", Hints.NONE),
                        endpoint(2, LAST_RESORT, "there", Hints.NONE),
                        endpoint(3, DYING, "there", Hints.NONE))
                .cluster(1, 2)
                .somewhere(true);
    }

    private static final PortEndpoint[] SOME_LOCAL = {ready(1, "here"), ready(2, "there")};

    @Test
    @DisplayName("iTP: Local, eTP: Cluster, some endpoints local")
    void internalLocalExternalCluster() {
        choose(INTERNAL_LOCAL_WITH_NODE_PORT, ZONELESS, SOME_LOCAL)
                .cluster(1, 2)
                .local(1)
                .somewhere(true);
    }

    @Test
    @DisplayName("iTP: Cluster, eTP: Local, some endpoints local")
    void internalClusterExternalLocal() {
        choose(EXTERNAL_LOCAL, ZONELESS, SOME_LOCAL).cluster(1, 2).local(1).somewhere(true);
    }

    @Test
    @DisplayName("iTP: Local, eTP: Local, some endpoints local")
    void bothLocalSomeLocal() {
        choose(BOTH_LOCAL, ZONELESS, SOME_LOCAL).cluster(1, 2).local(1).somewhere(true);
    }

    @Test
    @DisplayName("iTP: Local, eTP: Local, all endpoints remote")
    void bothLocalAllRemote() {
        choose(BOTH_LOCAL, ZONELESS, ready(1, "there"), ready(2, "far"))
                .cluster(1, 2)
                .local()
                .somewhere(true);
    }

    @Test
    @DisplayName("iTP: Local, eTP: Local, all endpoints remote and terminating")
    void bothLocalAllRemoteAndTerminating() {
        choose(
                        BOTH_LOCAL,
                        ZONELESS,
                        endpoint(1, LAST_RESORT, "there", Hints.NONE),
                        endpoint(2, LAST_RESORT, "far", Hints.NONE))
                .cluster(1, 2)
                .local()
                .somewhere(true);
    }

    @Test
    @DisplayName("iTP: Cluster, eTP: Local, with terminating endpoints")
    void externalLocalWithTerminating() {
        choose(
                        EXTERNAL_LOCAL,
                        ZONELESS,
                        endpoint(1, NOT_READY, "here", Hints.NONE),
                        endpoint(2, LAST_RESORT, "here", Hints.NONE),
                        ready(3, "there"),
                        endpoint(4, LAST_RESORT, "there", Hints.NONE))
                .cluster(3)
                .local(2)
                .somewhere(true);
    }

    @Test
    @DisplayName("externalTrafficPolicy ignored if not externally accessible")
    void externalLocalWithoutExternalAddress() {
        choose(new Traffic(false, true, false), ZONELESS, SOME_LOCAL)
                .cluster(1, 2)
                .local()
                .somewhere(true);
    }

    @Test
    @DisplayName("no cluster endpoints for iTP:Local internal-only service")
    void internalOnly() {
        choose(new Traffic(true, true, false), ZONELESS, SOME_LOCAL)
                .cluster()
                .local(1)
                .somewhere(true);
    }

    @Test
    @DisplayName("empty endpoints when no service endpoints exist")
    void withoutEndpoints() {
        for (Traffic traffic : List.of(CLUSTER, EXTERNAL_LOCAL, BOTH_LOCAL)) {
            choose(traffic, HERE).cluster().local().somewhere(false);
        }
    }

    @Test
    @DisplayName("single endpoint not ready, not serving, not terminating")
    void nothingOfAnything() {
        for (Traffic traffic : List.of(CLUSTER, INTERNAL_LOCAL, EXTERNAL_LOCAL)) {
            choose(traffic, HERE, endpoint(1, NOT_READY, "here", Hints.NONE))
                    .cluster()
                    .local()
                    .somewhere(false);
        }
    }

    @Test
    void aTerminatingEndpointThatIsPublishedAsReadyIsReady() {
        choose(
                        CLUSTER,
                        HERE,
                        endpoint(1, new Conditions(true, true, true), "there", Hints.NONE),
                        endpoint(2, LAST_RESORT, "there", Hints.NONE))
                .cluster(1)
                .somewhere(true);
    }

    @Test
    void noNodeIsNobodysNode() {
        choose(EXTERNAL_LOCAL, Place.NOWHERE, ready(1, ""), ready(2, "there"))
                .cluster(1, 2)
                .local()
                .somewhere(true);
    }

    private static List<String> reasons(Traffic traffic, Place place, PortEndpoint... endpoints) {
        return EndpointChoice.explain(traffic, Arrays.asList(endpoints), place).stream()
                .map(Verdict::reason)
                .toList();
    }

    @Test
    void saysWhy() {
        assertThat(reasons(CLUSTER, HERE, ready(1, "there"), endpoint(2, NOT_READY, "there", Hints.NONE)))
                .containsExactly("ready", "not ready");
        assertThat(reasons(
                        CLUSTER,
                        HERE,
                        ready(1, "there"),
                        endpoint(2, LAST_RESORT, "there", Hints.NONE),
                        endpoint(3, DYING, "there", Hints.NONE)))
                .containsExactly(
                        "ready", "terminating, and others are ready", "terminating, and it does not answer any more");
        assertThat(reasons(CLUSTER, HERE, endpoint(1, LAST_RESORT, "there", Hints.NONE)))
                .containsExactly("terminating, but none is ready");
        assertThat(reasons(CLUSTER, HERE, zoned(1, "zone-a"), zoned(2, "zone-b", "zone-c")))
                .containsExactly(
                        "ready; its hint is this node's zone zone-a",
                        "ready; its hint is zone zone-b, zone-c and this node is in zone zone-a");
        assertThat(reasons(CLUSTER, HERE, meant(1, "zone-a", "here"), meant(2, "zone-a", "there")))
                .containsExactly("ready; its hint is this node", "ready; its hint is node there and this node is here");
        assertThat(reasons(CLUSTER, ZONELESS, zoned(1, "zone-a")))
                .containsExactly("ready; its hint does not count, as this node has no zone");
        assertThat(reasons(CLUSTER, HERE, zoned(1, "zone-a"), zoned(2)))
                .containsExactly(
                        "ready; its hint does not count, as not every ready endpoint has one or none is for this node",
                        "ready");
        assertThat(reasons(INTERNAL_LOCAL, HERE, endpoint(1, LAST_RESORT, "there", Hints.NONE)))
                .containsExactly("terminating; not under policy Local: it is on node there");
        assertThat(reasons(EXTERNAL_LOCAL, HERE, ready(1, "here"), ready(2, "there"), ready(3, "")))
                .containsExactly(
                        "ready; under policy Local: it is on this node",
                        "ready; not under policy Local: it is on node there",
                        "ready; not under policy Local: it is on no node");
        assertThat(reasons(EXTERNAL_LOCAL, HERE, endpoint(1, LAST_RESORT, "here", Hints.NONE), ready(2, "there")))
                .containsExactly(
                        "terminating, but none on this node is ready; under policy Local: it is on this node",
                        "ready; not under policy Local: it is on node there");
    }
}
