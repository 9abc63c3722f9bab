package io.podwire.policy.watch;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.dsl.base.ResourceDefinitionContext;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import io.podwire.common.net.IpPrefix;
import io.podwire.policy.model.ClusterPolicy;
import io.podwire.policy.model.ClusterRule;
import io.podwire.policy.model.LabelSelector;
import io.podwire.policy.model.Peer;
import io.podwire.policy.model.PolicyPort;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.model.RuleAction;
import io.podwire.policy.model.Tier;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * From a ClusterNetworkPolicy as the API has it to ours. What cannot be honoured as written is compiled closed, as the
 * API asks of implementations: a rule that accepts matches nothing then, any other one denies all. Where it is the policy
 * itself that cannot be read, so that it is not known to which pods or in which order it applies, it holds for all pods that
 * it may mean, denies what it would deny or pass on, and accepts nothing.
 */
public final class ClusterPolicyMapping {
    /** Of a manifest. */
    static final String KIND = "ClusterNetworkPolicy";

    static final String GROUP = "policy.networking.k8s.io";
    static final String PLURAL = "clusternetworkpolicies";
    static final String API_VERSION = GROUP + "/v1alpha2";

    /** Where the API has them. */
    static final ResourceDefinitionContext CONTEXT = new ResourceDefinitionContext.Builder()
            .withGroup(GROUP)
            .withVersion("v1alpha2")
            .withKind(KIND)
            .withPlural(PLURAL)
            .withNamespaced(false)
            .build();

    private static final KubernetesSerialization SERIALIZATION = new KubernetesSerialization();
    private static final Peer.InNamespaces EVERY_POD =
            new Peer.InNamespaces(LabelSelector.EVERYTHING, LabelSelector.EVERYTHING);
    private static final int LAST_PORT = 65535;

    /** What is found wrong, and whether it leaves the policy itself in doubt. */
    private final List<String> reasons = new ArrayList<>();

    private boolean doubtful;

    private ClusterPolicyMapping() {}

    /**
     * A policy.
     *
     * @throws IllegalArgumentException when it has no name
     */
    public static ClusterPolicy policy(GenericKubernetesResource object) {
        return new ClusterPolicyMapping().map(name(object), object);
    }

    static String name(GenericKubernetesResource object) {
        String name = object.getMetadata() == null
                ? ""
                : KubernetesMapping.text(object.getMetadata().getName());
        if (name.isEmpty()) {
            throw new IllegalArgumentException("a " + KIND + " needs metadata.name");
        }
        return name;
    }

    private ClusterPolicy map(String name, GenericKubernetesResource object) {
        Map<String, Object> spec =
                attempt(() -> fields("spec", object.getAdditionalProperties().get("spec")), Map.of());
        attempt(
                () -> {
                    known("spec", spec, Set.of("tier", "priority", "subject", "ingress", "egress"));
                    return true;
                },
                false);
        Tier tier = attempt(() -> tier(spec.get("tier")), Tier.ADMIN);
        int priority = attempt(() -> priority(spec.get("priority")), 0);
        Peer.InNamespaces subject = attempt(() -> subject(spec.get("subject")), EVERY_POD);
        List<ClusterRule> ingress = rules("ingress", "from", spec.get("ingress"));
        List<ClusterRule> egress = rules("egress", "to", spec.get("egress"));
        ClusterPolicy policy =
                new ClusterPolicy(name, tier, priority, subject, ingress, egress, String.join("; ", reasons));
        return doubtful ? policy.inDoubt() : policy;
    }

    private interface Reading<T> {
        T read();
    }

    /** What is read, or what holds in its place while the policy is in doubt. */
    private <T> T attempt(Reading<T> reading, T inDoubt) {
        try {
            return reading.read();
        } catch (IllegalArgumentException e) {
            reasons.add(String.valueOf(e.getMessage()));
            doubtful = true;
            return inDoubt;
        }
    }

    private static Tier tier(Object value) {
        return switch (value) {
            case String text when text.equals("Admin") -> Tier.ADMIN;
            case String text when text.equals("Baseline") -> Tier.BASELINE;
            case null, default ->
                throw new IllegalArgumentException("spec.tier may be Admin or Baseline, got " + shown(value));
        };
    }

    private static int priority(Object value) {
        if (value instanceof Integer number && number >= 0 && number <= ClusterPolicy.LAST_PRIORITY) {
            return number;
        }
        throw new IllegalArgumentException(
                "spec.priority must be 0 to " + ClusterPolicy.LAST_PRIORITY + ", got " + shown(value));
    }

    private static Peer.InNamespaces subject(Object value) {
        Map<String, Object> subject = fields("spec.subject", value);
        String field = one("spec.subject", subject, Set.of("namespaces", "pods"));
        return field.equals("pods")
                ? pods("spec.subject.pods", subject.get(field))
                : new Peer.InNamespaces(
                        selector("spec.subject.namespaces", subject.get(field)), LabelSelector.EVERYTHING);
    }

    private static Peer.InNamespaces pods(String path, Object value) {
        Map<String, Object> pods = fields(path, value);
        known(path, pods, Set.of("namespaceSelector", "podSelector"));
        if (pods.get("podSelector") == null) {
            throw new IllegalArgumentException(path + " needs a podSelector; {} selects every pod");
        }
        return new Peer.InNamespaces(
                pods.get("namespaceSelector") == null
                        ? LabelSelector.EVERYTHING
                        : selector(path + ".namespaceSelector", pods.get("namespaceSelector")),
                selector(path + ".podSelector", pods.get("podSelector")));
    }

    private List<ClusterRule> rules(String direction, String peers, Object value) {
        String path = "spec." + direction;
        List<Object> rules;
        try {
            rules = value == null ? List.of() : elements(path, value);
        } catch (IllegalArgumentException e) {
            reasons.add(String.valueOf(e.getMessage()));
            return List.of(ClusterRule.denyAll(0, ""));
        }
        List<ClusterRule> out = new ArrayList<>();
        for (int i = 0; i < rules.size(); i++) {
            String at = path + "[" + i + "]";
            try {
                out.add(rule(at, i, peers, rules.get(i)));
            } catch (IllegalArgumentException e) {
                reasons.add(String.valueOf(e.getMessage()));
                Map<?, ?> rule = rules.get(i) instanceof Map<?, ?> map ? map : Map.of();
                if (!"Accept".equals(rule.get("action"))) {
                    out.add(ClusterRule.denyAll(i, rule.get("name") instanceof String name ? name : ""));
                }
            }
        }
        return out;
    }

    private static ClusterRule rule(String path, int index, String peers, Object value) {
        Map<String, Object> rule = fields(path, value);
        known(path, rule, Set.of("name", "action", peers, "protocols"));
        Object name = rule.getOrDefault("name", "");
        if (!(name instanceof String text)) {
            throw new IllegalArgumentException(path + ".name must be text, got " + shown(name));
        }
        RuleAction action = action(path, rule.get("action"));
        List<Object> given = list(path + "." + peers, rule.get(peers));
        List<Peer> mapped = new ArrayList<>();
        for (int i = 0; i < given.size(); i++) {
            mapped.add(peer(path + "." + peers + "[" + i + "]", peers.equals("to"), given.get(i)));
        }
        List<PolicyPort> ports = new ArrayList<>();
        if (rule.get("protocols") != null) {
            List<Object> protocols = list(path + ".protocols", rule.get("protocols"));
            for (int i = 0; i < protocols.size(); i++) {
                protocol(path + ".protocols[" + i + "]", protocols.get(i)).forEach(ports::add);
            }
        }
        boolean named = ports.stream().anyMatch(PolicyPort.Named.class::isInstance);
        if (named && mapped.stream().anyMatch(peer -> !(peer instanceof Peer.InNamespaces))) {
            throw new IllegalArgumentException(
                    path + " has a destinationNamedPort, and a peer of nodes or networks, which name no ports");
        }
        return new ClusterRule(index, text, action, mapped, ports);
    }

    private static RuleAction action(String path, Object value) {
        return switch (value) {
            case String text when text.equals("Accept") -> RuleAction.ACCEPT;
            case String text when text.equals("Deny") -> RuleAction.DENY;
            case String text when text.equals("Pass") -> RuleAction.PASS;
            case null, default ->
                throw new IllegalArgumentException(path + ".action may be Accept, Deny or Pass, got " + shown(value));
        };
    }

    private static Peer peer(String path, boolean egress, Object value) {
        Map<String, Object> peer = fields(path, value);
        if (egress && peer.containsKey("domainNames")) {
            throw new IllegalArgumentException(
                    path + ".domainNames is not supported: addresses behind names are not followed; use networks");
        }
        String field = one(
                path, peer, egress ? Set.of("namespaces", "pods", "nodes", "networks") : Set.of("namespaces", "pods"));
        String at = path + "." + field;
        Object content = peer.get(field);
        return switch (field) {
            case "namespaces" -> new Peer.InNamespaces(selector(at, content), LabelSelector.EVERYTHING);
            case "pods" -> pods(at, content);
            case "nodes" -> new Peer.Nodes(selector(at, content));
            default -> networks(at, content);
        };
    }

    private static Peer networks(String path, Object value) {
        Set<IpPrefix> cidrs = new HashSet<>();
        for (Object cidr : list(path, value)) {
            try {
                cidrs.add(KubernetesMapping.prefix(String.valueOf(cidr)));
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException(path + ": " + e.getMessage(), e);
            }
        }
        return new Peer.Networks(cidrs);
    }

    private static Stream<PolicyPort> protocol(String path, Object value) {
        Map<String, Object> protocol = fields(path, value);
        String field = one(path, protocol, Set.of("tcp", "udp", "sctp", "destinationNamedPort"));
        String at = path + "." + field;
        Object content = protocol.get(field);
        return switch (field) {
            case "tcp" -> Stream.of(port(at, Protocol.TCP, content));
            case "udp" -> Stream.of(port(at, Protocol.UDP, content));
            case "sctp" -> Stream.of(port(at, Protocol.SCTP, content));
            default -> {
                if (!(content instanceof String name) || name.isEmpty()) {
                    throw new IllegalArgumentException(at + " must be a port's name, got " + shown(content));
                }
                // It names no protocol: the ports of that name, whichever they have.
                yield Stream.of(Protocol.values()).map(each -> new PolicyPort.Named(each, name));
            }
        };
    }

    private static PolicyPort port(String path, Protocol protocol, Object value) {
        Map<String, Object> content = fields(path, value);
        one(path, content, Set.of("destinationPort"));
        String at = path + ".destinationPort";
        Map<String, Object> port = fields(at, content.get("destinationPort"));
        if (one(at, port, Set.of("number", "range")).equals("number")) {
            int number = number(at + ".number", port.get("number"));
            return new PolicyPort.Range(protocol, number, number);
        }
        Map<String, Object> range = fields(at + ".range", port.get("range"));
        known(at + ".range", range, Set.of("start", "end"));
        int start = number(at + ".range.start", range.get("start"));
        int end = number(at + ".range.end", range.get("end"));
        if (start >= end) {
            throw new IllegalArgumentException(
                    at + ".range must have a start before its end, got " + start + " to " + end);
        }
        return new PolicyPort.Range(protocol, start, end);
    }

    private static int number(String path, Object value) {
        if (value instanceof Integer number && number >= 1 && number <= LAST_PORT) {
            return number;
        }
        throw new IllegalArgumentException(path + " must be 1 to " + LAST_PORT + ", got " + shown(value));
    }

    private static LabelSelector selector(String path, Object value) {
        try {
            return KubernetesMapping.selector(
                    path,
                    SERIALIZATION.convertValue(
                            fields(path, value), io.fabric8.kubernetes.api.model.LabelSelector.class));
        } catch (IllegalArgumentException e) {
            String message = String.valueOf(e.getMessage());
            throw message.startsWith(path) ? e : new IllegalArgumentException(path + ": " + message, e);
        }
    }

    private static Map<String, Object> fields(String path, Object value) {
        if (!(value instanceof Map<?, ?> map)) {
            throw new IllegalArgumentException(path + " must be an object, got " + shown(value));
        }
        Map<String, Object> out = new HashMap<>();
        map.forEach((key, content) -> {
            if (content != null) {
                out.put(String.valueOf(key), content);
            }
        });
        return out;
    }

    private static List<Object> list(String path, Object value) {
        List<Object> list = value == null ? List.of() : elements(path, value);
        if (list.isEmpty()) {
            throw new IllegalArgumentException(path + " needs a list with at least one element, got " + shown(value));
        }
        return list;
    }

    private static List<Object> elements(String path, Object value) {
        if (value instanceof List<?> list) {
            return new ArrayList<>(list);
        }
        throw new IllegalArgumentException(path + " must be a list, got " + shown(value));
    }

    /** The one field that there is, of those that may be. */
    private static String one(String path, Map<String, Object> fields, Set<String> allowed) {
        known(path, fields, allowed);
        if (fields.size() != 1) {
            throw new IllegalArgumentException(path + " needs exactly one of "
                    + String.join(", ", allowed.stream().sorted().toList()) + ", got "
                    + String.join(", ", fields.keySet().stream().sorted().toList()));
        }
        return fields.keySet().iterator().next();
    }

    /** A field we do not know may restrict what its author accepts: it must not be passed over. */
    private static void known(String path, Map<String, Object> fields, Set<String> allowed) {
        fields.keySet().stream()
                .filter(field -> !allowed.contains(field))
                .sorted()
                .findFirst()
                .ifPresent(field -> {
                    throw new IllegalArgumentException(path + " has unknown field '" + field + "'");
                });
    }

    private static String shown(Object value) {
        return value == null ? "nothing" : "'" + value + "'";
    }
}
