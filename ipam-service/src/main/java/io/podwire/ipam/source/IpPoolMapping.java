package io.podwire.ipam.source;

import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.core.CoolDown;
import io.podwire.ipam.core.DrainPace;
import io.podwire.ipam.core.NamespaceSelector;
import io.podwire.ipam.core.NodeSelector;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.PoolSource;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.core.PoolUsage;
import java.math.BigInteger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Between an IPPool and the core's values. */
final class IpPoolMapping {
    private static final Map<String, PoolState> STATES =
            Map.of("Active", PoolState.ACTIVE, "Draining", PoolState.DRAINING, "Retired", PoolState.RETIRED);
    private static final Map<String, PoolPurpose> PURPOSES =
            Map.of("Pods", PoolPurpose.PODS, "Static", PoolPurpose.STATIC, "LoadBalancer", PoolPurpose.LOAD_BALANCER);
    private static final Pattern COOL_DOWN = Pattern.compile("(?=\\d)(\\d{1,6}h)?(\\d{1,6}m)?(\\d{1,6}s)?");
    private static final String REFUSED = "Refused";

    private IpPoolMapping() {}

    /**
     * The pool that an object declares.
     *
     * @throws IllegalArgumentException naming object, field and what it may be
     */
    static Pool pool(IpPool object, PoolSource source) {
        String name = object.getMetadata() == null ? null : object.getMetadata().getName();
        if (name == null) {
            throw new IllegalArgumentException(
                    "metadata.name of an IPPool is missing: 1 to 63 lower-case letters," + " digits and '-'");
        }
        try {
            return pool(name, object.getSpec(), source);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("IPPool " + name + ": " + e.getMessage(), e);
        }
    }

    private static Pool pool(String name, IpPoolSpec spec, PoolSource source) {
        if (spec == null || spec.cidr() == null) {
            throw new IllegalArgumentException("spec.cidr is missing: CIDR text such as 10.1.0.0/16 or fd00:10:1::/48");
        }
        field("metadata.name", () -> {
            Pool.checkName(name);
            return name;
        });
        IpPrefix cidr = field("spec.cidr", () -> IpPrefix.parse(spec.cidr()));
        Pool plain = field(
                "spec.blockLength",
                () -> new Pool(
                        name, cidr, spec.blockLength() == null ? Pool.defaultBlockLength(cidr) : spec.blockLength()));
        List<PoolEdit> edits = new ArrayList<>();
        edits.add(new PoolEdit.Source(source));
        if (spec.state() != null) {
            edits.add(new PoolEdit.State(oneOf("spec.state", STATES, spec.state())));
        }
        if (spec.purpose() != null) {
            edits.add(new PoolEdit.Purpose(oneOf("spec.purpose", PURPOSES, spec.purpose())));
        }
        if (spec.coolDown() != null) {
            edits.add(new PoolEdit.Cooling(field("spec.coolDown", () -> coolDown(spec.coolDown()))));
        }
        if (spec.drainPace() != null) {
            edits.add(new PoolEdit.Pace(field("spec.drainPace", () -> new DrainPace(spec.drainPace()))));
        }
        edits.add(new PoolEdit.Nodes(
                field("spec.nodeSelector.matchLabels", () -> NodeSelector.of(labels(spec.nodeSelector())))));
        edits.add(new PoolEdit.Namespaces(field(
                "spec.namespaceSelector.matchLabels", () -> NamespaceSelector.of(labels(spec.namespaceSelector())))));
        List<String> reserved = spec.reserved() == null ? List.of() : spec.reserved();
        return field("spec.reserved", () -> {
            edits.add(
                    new PoolEdit.Reserved(reserved.stream().map(IpPrefix::parse).toList()));
            return plain.with(edits);
        });
    }

    private static <T> T field(String path, Supplier<T> value) {
        try {
            return value.get();
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(path + ": " + e.getMessage(), e);
        }
    }

    private static <T> T oneOf(String path, Map<String, T> values, String text) {
        return Optional.ofNullable(values.get(text))
                .orElseThrow(() -> new IllegalArgumentException(path + " must be one of "
                        + values.keySet().stream().sorted().collect(Collectors.joining(", ")) + ", got '" + text
                        + "'"));
    }

    private static Map<String, String> labels(IpPoolSpec.Selector selector) {
        if (selector == null || selector.matchLabels() == null) {
            return Map.of();
        }
        selector.matchLabels().forEach((key, value) -> {
            if (value == null) {
                throw new IllegalArgumentException("label " + key + " has no value; '' is one");
            }
        });
        return selector.matchLabels();
    }

    private static CoolDown coolDown(String text) {
        if (!COOL_DOWN.matcher(text).matches()) {
            throw new IllegalArgumentException(
                    "must be hours, minutes and seconds such as 90s, 10m or 1h30m, 0s to 24h, got '" + text + "'");
        }
        return new CoolDown.Of(Duration.parse("PT" + text));
    }

    /** What to tell of a declared pool: its stored one, where it is the source's own, and what is wrong. */
    static IpPoolStatus status(Optional<PoolUsage> stored, String problem) {
        return stored.map(usage -> new IpPoolStatus(
                        usage.ownedBlocks(),
                        usage.pool()
                                .totalBlocks()
                                .min(BigInteger.valueOf(Long.MAX_VALUE))
                                .longValueExact(),
                        usage.pool().drainingFrom(),
                        STATES.entrySet().stream()
                                .filter(entry ->
                                        entry.getValue() == usage.pool().state())
                                .map(Map.Entry::getKey)
                                .findFirst()
                                .orElseThrow(),
                        problem))
                .orElseGet(() -> new IpPoolStatus(null, null, null, REFUSED, problem));
    }
}
