package io.podwire.ipam.source;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;
import java.util.Map;

/**
 * What an IPPool asks for, as it is written; a field that is missing is null. {@link IpPoolMapping} checks it.
 *
 * @param cidr all addresses of the pool
 * @param blockLength prefix length of a block
 * @param state Active, Draining or Retired
 * @param reserved parts of {@code cidr} that nobody gets
 * @param nodeSelector labels of nodes
 * @param namespaceSelector labels of namespaces
 * @param purpose Pods, Static or LoadBalancer
 * @param coolDown such as 90s, 10m or 1h30m
 * @param drainPace pods per minute that are evicted while it drains
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record IpPoolSpec(
        String cidr,
        Integer blockLength,
        String state,
        List<String> reserved,
        Selector nodeSelector,
        Selector namespaceSelector,
        String purpose,
        String coolDown,
        Integer drainPace) {
    /**
     * Labels that must all be there.
     *
     * @param matchLabels key to value
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Selector(Map<String, String> matchLabels) {}
}
