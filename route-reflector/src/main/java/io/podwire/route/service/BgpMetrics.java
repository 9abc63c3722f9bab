package io.podwire.route.service;

import io.podwire.route.session.BgpSpeaker;
import io.podwire.route.session.PeerStatus;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.util.List;
import java.util.function.ToDoubleFunction;

/** A series of each kind for each BGP neighbour. */
public final class BgpMetrics implements MultiCollector {
    private final BgpSpeaker speaker;

    /** Of this speaker's neighbours. */
    public BgpMetrics(BgpSpeaker speaker) {
        this.speaker = speaker;
    }

    @Override
    public MetricSnapshots collect() {
        List<PeerStatus> peers = speaker.peers();
        return MetricSnapshots.of(
                gauge(
                        "podwire_bgp_session_up",
                        "1 while the session is established",
                        peers,
                        p -> p.state().equals("Established") ? 1 : 0),
                gauge(
                        "podwire_bgp_imported",
                        "Prefixes that are kept from the neighbour",
                        peers,
                        p -> p.imported().values().stream()
                                .mapToInt(Integer::intValue)
                                .sum()),
                gauge("podwire_bgp_advertised", "Prefixes that the neighbour was told", peers, PeerStatus::advertised),
                gauge("podwire_bgp_refused", "Routes of the neighbour that were not taken", peers, PeerStatus::refused),
                gauge(
                        "podwire_bgp_malformed",
                        "UPDATE messages of the neighbour with a malformed attribute",
                        peers,
                        PeerStatus::malformed),
                gauge(
                        "podwire_bgp_sessions",
                        "Sessions with the neighbour since our start",
                        peers,
                        PeerStatus::sessions));
    }

    private static MetricSnapshot gauge(
            String name, String help, List<PeerStatus> peers, ToDoubleFunction<PeerStatus> value) {
        GaugeSnapshot.Builder gauge = GaugeSnapshot.builder().name(name).help(help);
        for (PeerStatus peer : peers) {
            gauge.dataPoint(GaugeSnapshot.GaugeDataPointSnapshot.builder()
                    .labels(Labels.of("peer", peer.settings().name()))
                    .value(value.applyAsDouble(peer))
                    .build());
        }
        return gauge.build();
    }
}
