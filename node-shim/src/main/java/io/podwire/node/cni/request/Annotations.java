package io.podwire.node.cni.request;

import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * The pod's annotations as containerd and CRI-O hand them on, where the configuration declares the capability: so
 * that an ADD honours them without asking anybody.
 */
final class Annotations {
    /** Capability under which both runtimes send them. */
    static final String CAPABILITY = "io.kubernetes.cri.pod-annotations";
    /** What is Podwire's begins so. */
    static final String PREFIX = "podwire.io/";

    static final String IP = PREFIX + "ip";
    static final String MAC = PREFIX + "mac";
    static final String POOL = PREFIX + "pool";
    static final String RESERVE = PREFIX + "reserve";
    static final String START_BARRIER = PREFIX + "start-barrier";

    private static final Set<String> KNOWN =
            Set.of(IP, MAC, POOL, RESERVE, START_BARRIER, PREFIX + "ingress-bandwidth", PREFIX + "egress-bandwidth");

    private Annotations() {}

    /** All of them; one of Podwire's that this version does not know is refused, since it would do nothing. */
    static Map<String, String> read(CaselessObject capabilities) throws RequestException {
        Map<String, String> annotations = capabilities.textByName(CAPABILITY);
        for (String name : annotations.keySet()) {
            if (name.startsWith(PREFIX) && !KNOWN.contains(name)) {
                throw RequestException.unsupported(
                        "annotation " + name, "this node-shim knows " + new TreeSet<>(KNOWN));
            }
        }
        return annotations;
    }
}
