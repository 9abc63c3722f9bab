package io.podwire.e2e.bench;

import io.podwire.proto.policy.v1.ServiceEndpoint;
import io.podwire.proto.policy.v1.ServicePort;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * What kube-proxy has written in mode iptables since Kubernetes 1.27 (pkg/proxy/iptables/proxier.go): a rule of
 * KUBE-SERVICES for each cluster IP, a chain KUBE-SVC for each service whose rules throw dice, a chain KUBE-SEP for each
 * endpoint. A change writes KUBE-SERVICES anew, and the chains of the service that it is about. Of a cluster with more than
 * 1,000 endpoints rules of endpoints have no comments, as there.
 */
final class KubeProxyRules implements ServiceRules {
    private static final int LARGE_CLUSTER = 1000;
    private static final int HASH = 16;
    private static final String BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    private static final long LIMIT_SECONDS = 900;

    private static final String FILTER = """
            *filter
            :KUBE-NODEPORTS - [0:0]
            :KUBE-SERVICES - [0:0]
            :KUBE-EXTERNAL-SERVICES - [0:0]
            :KUBE-FIREWALL - [0:0]
            :KUBE-FORWARD - [0:0]
            :KUBE-PROXY-FIREWALL - [0:0]
            -A KUBE-FIREWALL -m comment --comment "block incoming localnet connections" -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
            -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
            -A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
            -A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
            """;

    /** kube-proxy makes these once, by iptables -I. */
    private static final String FILTER_JUMPS = """
            -A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
            -A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
            -A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
            -A INPUT -j KUBE-FIREWALL
            -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
            -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
            -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
            -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
            -A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
            -A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
            -A OUTPUT -j KUBE-FIREWALL
            """;

    private static final String NAT_CHAINS = """
            *nat
            :KUBE-NODEPORTS - [0:0]
            :KUBE-SERVICES - [0:0]
            :KUBE-POSTROUTING - [0:0]
            :KUBE-MARK-MASQ - [0:0]
            """;

    private static final String NAT_JUMPS = """
            -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
            -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
            -A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
            """;

    private static final String NAT_RULES = """
            -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
            -A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
            -A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
            -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
            """;

    private static final String NODE_PORTS =
            "-A KUBE-SERVICES -m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule in"
                    + " this chain\" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n";

    private final String netns;
    private final String program;
    private final String clusterCidr;

    /**
     * Rules of a namespace.
     *
     * @param variant "nft" or "legacy": what iptables writes to
     */
    KubeProxyRules(String netns, String variant, String clusterCidr) {
        this.netns = netns;
        this.program = "iptables-" + variant + "-restore";
        this.clusterCidr = clusterCidr;
    }

    @Override
    public void program(List<ServicePort> services) throws IOException {
        restore(all(services, clusterCidr));
    }

    @Override
    public void change(List<ServicePort> services, ServicePort before, ServicePort after) throws IOException {
        restore(update(services, before, after, clusterCidr));
    }

    /** What iptables-restore is given at the start. */
    static String all(List<ServicePort> services, String clusterCidr) {
        boolean large = large(services);
        StringBuilder chains = new StringBuilder(NAT_CHAINS);
        StringBuilder rules = new StringBuilder(NAT_JUMPS).append(NAT_RULES);
        for (ServicePort service : services) {
            portal(rules, service);
            service(chains, rules, service, large, clusterCidr);
        }
        return FILTER + FILTER_JUMPS + "COMMIT\n" + chains + rules + NODE_PORTS + "COMMIT\n";
    }

    /** What it is given when one service has changed. */
    static String update(List<ServicePort> services, ServicePort before, ServicePort after, String clusterCidr) {
        StringBuilder chains = new StringBuilder(NAT_CHAINS);
        StringBuilder rules = new StringBuilder(NAT_RULES);
        services.forEach(service -> portal(rules, service));
        service(chains, rules, after, large(services), clusterCidr);
        Set<String> gone = new LinkedHashSet<>();
        before.getClusterEndpointsList().forEach(endpoint -> gone.add(endpointChain(before, endpoint)));
        after.getClusterEndpointsList().forEach(endpoint -> gone.remove(endpointChain(after, endpoint)));
        StringBuilder deletions = new StringBuilder();
        for (String chain : gone) {
            chains.append(':').append(chain).append(" - [0:0]\n");
            deletions.append("-X ").append(chain).append('\n');
        }
        return FILTER + "COMMIT\n" + chains + rules + NODE_PORTS + deletions + "COMMIT\n";
    }

    private static boolean large(List<ServicePort> services) {
        return services.stream().mapToInt(ServicePort::getClusterEndpointsCount).sum() > LARGE_CLUSTER;
    }

    private static String fullName(ServicePort service) {
        return service.getNamespace() + "/" + service.getName()
                + (service.getPortName().isEmpty() ? "" : ":" + service.getPortName());
    }

    private static String to(ServicePort service) {
        return " -m tcp -p tcp -d " + service.getClusterIp() + "/32 --dport " + service.getPort();
    }

    private static void portal(StringBuilder rules, ServicePort service) {
        rules.append("-A KUBE-SERVICES -m comment --comment \"")
                .append(fullName(service))
                .append(" cluster IP\"")
                .append(to(service))
                .append(" -j ")
                .append(serviceChain(service))
                .append('\n');
    }

    private static void service(
            StringBuilder chains, StringBuilder rules, ServicePort service, boolean large, String clusterCidr) {
        String name = fullName(service);
        String chain = serviceChain(service);
        chains.append(':').append(chain).append(" - [0:0]\n");
        rules.append("-A ").append(chain).append(" -m comment --comment \"");
        rules.append(name).append(" cluster IP\"").append(to(service));
        rules.append(" ! -s ").append(clusterCidr).append(" -j KUBE-MARK-MASQ\n");
        List<ServiceEndpoint> endpoints = service.getClusterEndpointsList();
        List<String> targets = new ArrayList<>();
        for (int i = 0; i < endpoints.size(); i++) {
            ServiceEndpoint endpoint = endpoints.get(i);
            String target = endpointChain(service, endpoint);
            targets.add(target);
            int left = endpoints.size() - i;
            rules.append("-A ").append(chain);
            if (!large) {
                rules.append(" -m comment --comment \"").append(name).append(" -> ");
                rules.append(authority(endpoint)).append('"');
            }
            if (left > 1) {
                rules.append(" -m statistic --mode random --probability ")
                        .append(String.format(Locale.ROOT, "%.10f", 1.0 / left));
            }
            rules.append(" -j ").append(target).append('\n');
        }
        for (int i = 0; i < endpoints.size(); i++) {
            String comment = large ? "" : " -m comment --comment " + name;
            chains.append(':').append(targets.get(i)).append(" - [0:0]\n");
            rules.append("-A ").append(targets.get(i)).append(comment);
            rules.append(" -s ").append(endpoints.get(i).getAddress()).append(" -j KUBE-MARK-MASQ\n");
            rules.append("-A ")
                    .append(targets.get(i))
                    .append(comment)
                    .append(" -m tcp -p tcp -j DNAT --to-destination ");
            rules.append(authority(endpoints.get(i))).append('\n');
        }
    }

    private static String authority(ServiceEndpoint endpoint) {
        return endpoint.getAddress() + ":" + endpoint.getPort();
    }

    private static String serviceChain(ServicePort service) {
        return "KUBE-SVC-" + hash(fullName(service) + "tcp");
    }

    private static String endpointChain(ServicePort service, ServiceEndpoint endpoint) {
        return "KUBE-SEP-" + hash(fullName(service) + "tcp" + authority(endpoint));
    }

    /** The first 16 digits of the base 32 (RFC 4648) of SHA-256. */
    private static String hash(String text) {
        byte[] digest;
        try {
            digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
        StringBuilder out = new StringBuilder();
        for (int bit = 0; out.length() < HASH; bit += 5) {
            int two = ((digest[bit / 8] & 0xff) << 8) | (digest[bit / 8 + 1] & 0xff);
            out.append(BASE32.charAt((two >> (11 - bit % 8)) & 0x1f));
        }
        return out.toString();
    }

    private void restore(String rules) throws IOException {
        Path said = Files.createTempFile("bench", ".restore");
        try {
            Process process = new ProcessBuilder(
                            "ip", "netns", "exec", netns, program, "-w", "5", "--noflush", "--counters")
                    .redirectErrorStream(true)
                    .redirectOutput(said.toFile())
                    .start();
            try (OutputStream in = process.getOutputStream()) {
                in.write(rules.getBytes(StandardCharsets.US_ASCII));
            } catch (IOException _) {
                // It ended without reading all: its exit code tells.
            }
            if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new IOException(program + " did not end in " + LIMIT_SECONDS + " s");
            }
            if (process.exitValue() != 0) {
                throw new IOException(program + ": " + Files.readString(said));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted in " + program, e);
        } finally {
            Files.delete(said);
        }
    }

    @Override
    public void close() {
        // The namespace's end takes them along.
    }
}
