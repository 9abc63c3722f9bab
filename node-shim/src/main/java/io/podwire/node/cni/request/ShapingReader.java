package io.podwire.node.cni.request;

import io.podwire.node.plan.RateLimit;
import io.podwire.node.plan.Shaping;
import java.math.BigDecimal;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Capability bandwidth: {ingressRate, ingressBurst, egressRate, egressBurst} in bit/s and bits, 0 for unlimited; and
 * the annotations that say the same. Podwire's annotation wins over the capability, which wins over Kubernetes'.
 */
final class ShapingReader {
    private static final String KEY = "bandwidth";
    private static final long BITS = 8;
    private static final long MAX_BURST = RateLimit.MAX_BURST_BYTES * BITS + BITS;
    /** What runtimes write where nobody named a burst: kubelet, containerd, CRI-O 1.17 and later, CRI-O before. */
    private static final Set<Long> NO_BURST = Set.of((1L << 31) - 1, (1L << 32) - 1, (1L << 35) - 9, (1L << 35) - 8);

    private final CaselessObject bandwidth;
    private final String annotationsPath;
    private final Map<String, String> annotations;

    private ShapingReader(CaselessObject bandwidth, String annotationsPath, Map<String, String> annotations) {
        this.bandwidth = bandwidth;
        this.annotationsPath = annotationsPath;
        this.annotations = annotations;
    }

    static Shaping read(CaselessObject capabilities, String annotationsPath, Map<String, String> annotations)
            throws RequestException {
        ShapingReader reader = new ShapingReader(capabilities.object(KEY), annotationsPath, annotations);
        return new Shaping(reader.direction("ingress"), reader.direction("egress"));
    }

    private Optional<RateLimit> direction(String name) throws RequestException {
        Optional<RateLimit> ours = annotated(Annotations.PREFIX + name + "-bandwidth");
        Optional<RateLimit> given = capability(name + "Rate", name + "Burst");
        Optional<RateLimit> kubernetes = annotated("kubernetes.io/" + name + "-bandwidth");
        return ours.or(() -> given).or(() -> kubernetes);
    }

    private Optional<RateLimit> annotated(String annotation) throws RequestException {
        String text = annotations.get(annotation);
        if (text == null) {
            return Optional.empty();
        }
        String key = annotationsPath + " \"" + annotation + "\"";
        BigDecimal rate;
        try {
            rate = Quantity.parse(text);
        } catch (IllegalArgumentException e) {
            throw RequestException.invalid(key, "it must be bits per second; " + e.getMessage());
        }
        if (rate.compareTo(BigDecimal.valueOf(RateLimit.MIN_RATE)) < 0
                || rate.compareTo(BigDecimal.valueOf(RateLimit.MAX_RATE)) > 0) {
            throw RequestException.invalid(key, "it must be 1k to 1P bits per second, got \"" + text + "\"");
        }
        return Optional.of(RateLimit.ofRate(rate.longValueExact()));
    }

    private Optional<RateLimit> capability(String rateKey, String burstKey) throws RequestException {
        OptionalLong rate = set(bandwidth.number(rateKey, 0, RateLimit.MAX_RATE));
        OptionalLong burst = set(bandwidth.number(burstKey, 0, MAX_BURST));
        if (rate.isEmpty()) {
            if (burst.isPresent() && !NO_BURST.contains(burst.getAsLong())) {
                throw RequestException.invalid(
                        bandwidth.at(burstKey), "it is " + burst.getAsLong() + " bits without " + rateKey);
            }
            return Optional.empty();
        }
        if (rate.getAsLong() < RateLimit.MIN_RATE) {
            throw RequestException.invalid(
                    bandwidth.at(rateKey),
                    "it must be 0 for unlimited, or " + RateLimit.MIN_RATE + " to " + RateLimit.MAX_RATE
                            + " bits per second, got " + rate.getAsLong());
        }
        return Optional.of(
                burst.isEmpty() || NO_BURST.contains(burst.getAsLong())
                        ? RateLimit.ofRate(rate.getAsLong())
                        : new RateLimit(
                                rate.getAsLong(), Math.clamp(burst.getAsLong() / BITS, 1, RateLimit.MAX_BURST_BYTES)));
    }

    private static OptionalLong set(OptionalLong value) {
        return value.isPresent() && value.getAsLong() == 0 ? OptionalLong.empty() : value;
    }
}
