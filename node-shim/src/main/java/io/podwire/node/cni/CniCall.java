package io.podwire.node.cni;

import io.podwire.node.cni.CniException.Code;
import io.podwire.node.cni.request.RequestArgs;
import io.podwire.node.journal.Attachment.PodIdentity;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.PodRequest;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * One CNI call about one interface, checked: ADD, DEL or CHECK.
 *
 * @param key container id and interface name
 * @param netns path of the network namespace; empty only for DEL
 * @param netnsOverride true when the node's own namespace is allowed
 * @param args CNI_ARGS by key
 * @param config the network configuration
 */
public record CniCall(
        EndpointKey key, Optional<Path> netns, boolean netnsOverride, Map<String, String> args, NetworkConfig config) {
    private static final Pattern CONTAINER_ID = Pattern.compile("[a-zA-Z0-9][a-zA-Z0-9_.\\-]*");
    private static final int MAX_CONTAINER_ID = 255;
    // IFNAMSIZ is 16 with its NUL, linux/if.h.
    private static final int MAX_IFNAME = 15;
    private static final Set<String> KNOWN_ARGS = Set.of(
            "IgnoreUnknown",
            "IP",
            "MAC",
            "K8S_POD_NAMESPACE",
            "K8S_POD_NAME",
            "K8S_POD_UID",
            "K8S_POD_INFRA_CONTAINER_ID");

    /** Copies. */
    public CniCall {
        args = Map.copyOf(args);
    }

    /**
     * Checks the environment of a call.
     *
     * @throws CniException code 4 naming every missing variable, or the wrong one and its rule
     */
    public static CniCall of(
            String containerId,
            String netns,
            String ifname,
            String args,
            boolean netnsOverride,
            boolean netnsNeeded,
            NetworkConfig config)
            throws CniException {
        List<String> missing = new ArrayList<>();
        if (containerId.isEmpty()) {
            missing.add("CNI_CONTAINERID");
        }
        if (netns.isEmpty() && netnsNeeded) {
            missing.add("CNI_NETNS");
        }
        if (ifname.isEmpty()) {
            missing.add("CNI_IFNAME");
        }
        if (!missing.isEmpty()) {
            throw environment("required env variables [" + String.join(",", missing) + "] missing", "");
        }
        if (containerId.length() > MAX_CONTAINER_ID
                || !CONTAINER_ID.matcher(containerId).matches()) {
            throw environment(
                    "invalid CNI_CONTAINERID",
                    "it must match " + CONTAINER_ID.pattern() + " and have at most " + MAX_CONTAINER_ID
                            + " characters");
        }
        checkIfname(ifname);
        return new CniCall(
                new EndpointKey(containerId, ifname),
                netns.isEmpty() ? Optional.empty() : Optional.of(netnsPath(netns)),
                netnsOverride,
                args(args),
                config);
    }

    private static void checkIfname(String ifname) throws CniException {
        boolean wrong = ifname.getBytes(StandardCharsets.UTF_8).length > MAX_IFNAME
                || ifname.equals(".")
                || ifname.equals("..")
                // The kernel makes numbers of %d, dev_alloc_name() in net/core/dev.c.
                || ifname.chars().anyMatch(c -> c == '/' || c == ':' || c == '%' || c <= ' ' || c == 0x7f);
        if (wrong) {
            throw environment(
                    "invalid CNI_IFNAME",
                    "an interface name has 1 to " + MAX_IFNAME
                            + " bytes, is not . or .., and has no slash, colon, percent sign, white space or control"
                            + " character");
        }
    }

    private static Path netnsPath(String netns) throws CniException {
        try {
            Path path = Path.of(netns);
            if (path.isAbsolute()) {
                return path;
            }
        } catch (InvalidPathException e) {
            throw new CniException(Code.INVALID_ENVIRONMENT, "invalid CNI_NETNS", "it is not a path", e);
        }
        throw environment("invalid CNI_NETNS", "it must be an absolute path");
    }

    private static Map<String, String> args(String args) throws CniException {
        Map<String, String> pairs = new HashMap<>();
        for (String pair : args.split(";", -1)) {
            if (pair.isEmpty()) {
                continue;
            }
            int equals = pair.indexOf('=');
            if (equals <= 0) {
                throw environment("invalid CNI_ARGS", "pairs are K=V, separated by ';'; one has no '=' or no key");
            }
            pairs.put(pair.substring(0, equals), pair.substring(equals + 1));
        }
        if (!isTrue(pairs.getOrDefault("IgnoreUnknown", ""))) {
            List<String> unknown = pairs.keySet().stream()
                    .filter(key -> !KNOWN_ARGS.contains(key))
                    .sorted()
                    .toList();
            if (!unknown.isEmpty()) {
                throw environment(
                        "unknown CNI_ARGS " + unknown, "known are " + KNOWN_ARGS + "; IgnoreUnknown=1 allows others");
            }
        }
        return pairs;
    }

    /** The pod that CNI_ARGS names. */
    public PodIdentity pod() {
        String name = args.getOrDefault("K8S_POD_NAME", "");
        String uid = args.getOrDefault("K8S_POD_UID", "");
        boolean declared = !name.isEmpty() && (!uid.isEmpty() || args.containsKey("K8S_POD_INFRA_CONTAINER_ID"));
        return new PodIdentity(args.getOrDefault("K8S_POD_NAMESPACE", ""), name, uid, declared);
    }

    /**
     * What is asked for beyond an interface with any address.
     *
     * @throws CniException code 4, 7 or 2, naming the first thing in CNI_ARGS or the configuration that is wrong, or
     *     that Podwire does not do
     */
    public PodRequest request() throws CniException {
        return config.request(RequestArgs.of(key.ifname(), args));
    }

    private static boolean isTrue(String text) {
        return text.equals("1") || text.equalsIgnoreCase("true");
    }

    private static CniException environment(String message, String details) {
        return new CniException(Code.INVALID_ENVIRONMENT, message, details);
    }
}
