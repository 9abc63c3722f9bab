package io.podwire.node.cni.request;

import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Which kernel settings a configuration may ask for inside the pod: those that belong to its network namespace alone
 * and leave what Podwire wired as it is. Addresses, neighbours, router advertisements, redirects and disable_ipv6 are
 * not among them.
 */
final class SysctlRules {
    /** Stands for the interface's name. */
    private static final String IFNAME = "IFNAME";

    private static final String INTERFACE = "(all|default|" + IFNAME + ")";
    private static final List<Pattern> ALLOWED = List.of(
                    "net/core/somaxconn",
                    "net/ipv4/(tcp|udp)_[a-z0-9_]+",
                    "net/ipv4/ip_(default_ttl|forward|local_port_range|local_reserved_ports|no_pmtu_disc|nonlocal_bind"
                            + "|unprivileged_port_start)",
                    "net/ipv4/(ping_group_range|icmp_echo_ignore_all|igmp_max_memberships|igmp_max_msf)",
                    "net/ipv4/conf/" + INTERFACE
                            + "/(forwarding|log_martians|promote_secondaries|route_localnet|rp_filter|src_valid_mark)",
                    "net/ipv6/(auto_flowlabels|bindv6only|ip_nonlocal_bind)",
                    "net/ipv6/icmp/echo_ignore_all",
                    "net/ipv6/conf/" + INTERFACE + "/forwarding",
                    "net/mptcp/[a-z0-9_]+",
                    "net/netfilter/nf_conntrack_(tcp|udp|icmp|icmpv6|generic|sctp|dccp|gre)_[a-z0-9_]+",
                    "net/unix/max_dgram_qlen")
            .stream()
            .map(Pattern::compile)
            .toList();

    private static final Pattern VALUE = Pattern.compile("[ -~\\t]{1,256}");

    private SysctlRules() {}

    /**
     * Settings by path below /proc/sys.
     *
     * @param asked by name, with dots or with slashes
     * @param ifname the pod's interface, for IFNAME
     */
    static SortedMap<String, String> check(Map<String, String> asked, String ifname) throws RequestException {
        SortedMap<String, String> settings = new TreeMap<>();
        for (Map.Entry<String, String> entry : asked.entrySet()) {
            String key = entry.getKey();
            // With slashes, dots are part of a name, as in sysctl(8).
            String path = (key.indexOf('/') >= 0 ? key : key.replace('.', '/'))
                    .replace("/conf/" + ifname + "/", "/conf/" + IFNAME + "/");
            if (ALLOWED.stream().noneMatch(allowed -> allowed.matcher(path).matches())) {
                throw RequestException.unsupported(
                        "sysctl \"" + key + "\"",
                        "the value is \"" + entry.getValue() + "\"; a configuration may set what is the pod's own and"
                                + " leaves its wiring alone: "
                                + ALLOWED.stream()
                                        .map(pattern -> pattern.pattern().replace('/', '.'))
                                        .collect(Collectors.joining(", ")));
            }
            if (!VALUE.matcher(entry.getValue()).matches()) {
                throw RequestException.invalid(
                        "sysctl \"" + key + "\"", "its value must be 1 to 256 printable ASCII characters");
            }
            settings.put(path.replace(IFNAME, ifname), entry.getValue());
        }
        return settings;
    }
}
