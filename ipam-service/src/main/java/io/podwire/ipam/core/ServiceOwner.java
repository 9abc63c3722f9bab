package io.podwire.ipam.core;

import io.podwire.common.net.IpFamily;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A Kubernetes Service as the owner of its load balancer's address of one family. One that is made anew under the same
 * name has another uid, and so is another owner.
 *
 * @param namespace its namespace, RFC 1123 label
 * @param name its name there, RFC 1123 label
 * @param uid what tells it from others of that name, 1 to 64 characters of [A-Za-z0-9-]
 * @param family of the address
 */
public record ServiceOwner(String namespace, String name, String uid, IpFamily family) {
    /** What ids of Services' owners begin with. Nobody else's may. */
    public static final String PREFIX = "service/";

    private static final String LABEL = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?";
    private static final Pattern ID =
            Pattern.compile(PREFIX + "(" + LABEL + ")/(" + LABEL + ")/([A-Za-z0-9-]{1,64})/(ipv[46])");

    /** Checks names and uid. */
    public ServiceOwner {
        if (!ID.matcher(id(namespace, name, uid, family)).matches()) {
            throw new IllegalArgumentException("'" + namespace + "/" + name + "', uid '" + uid
                    + "', is not a Service: two RFC 1123 labels, and a uid of 1 to 64 characters of [A-Za-z0-9-]");
        }
    }

    private static String id(String namespace, String name, String uid, IpFamily family) {
        return PREFIX + namespace + "/" + name + "/" + uid + "/" + (family == IpFamily.V4 ? "ipv4" : "ipv6");
    }

    /** service/NAMESPACE/NAME/UID/ipv4 or /ipv6, which {@link AddressOwner#id} takes. */
    public String id() {
        return id(namespace, name, uid, family);
    }

    /** The owner in the ledger. */
    public AddressOwner owner() {
        return new AddressOwner(id(), "", namespace, "");
    }

    /** The Service that an owner is; empty when it is none. */
    public static Optional<ServiceOwner> of(AddressOwner owner) {
        // Most owners are pods, and a match of a pattern costs more than this.
        if (!owner.id().startsWith(PREFIX)) {
            return Optional.empty();
        }
        Matcher id = ID.matcher(owner.id());
        return id.matches()
                ? Optional.of(new ServiceOwner(
                        id.group(1), id.group(2), id.group(3), id.group(4).equals("ipv4") ? IpFamily.V4 : IpFamily.V6))
                : Optional.empty();
    }

    /** Service NAMESPACE/NAME (uid UID). */
    @Override
    public String toString() {
        return "Service " + namespace + "/" + name + " (uid " + uid + ")";
    }
}
