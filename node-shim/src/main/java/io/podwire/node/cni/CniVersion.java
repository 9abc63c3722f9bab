package io.podwire.node.cni;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** Versions of the CNI specification, oldest first. */
public enum CniVersion {
    /** Result with ip4 and ip6. */
    V0_1_0("0.1.0"),
    /** As 0.1.0. */
    V0_2_0("0.2.0"),
    /** Result with interfaces and ips; chaining. */
    V0_3_0("0.3.0"),
    /** As 0.3.0. */
    V0_3_1("0.3.1"),
    /** CHECK. */
    V0_4_0("0.4.0"),
    /** No version in ips. */
    V1_0_0("1.0.0"),
    /** GC, STATUS, mtu in interfaces. */
    V1_1_0("1.1.0");

    private final String text;

    CniVersion(String text) {
        this.text = text;
    }

    /** The version of this text; empty when Podwire does not speak it. */
    public static Optional<CniVersion> of(String text) {
        return Arrays.stream(values()).filter(v -> v.text.equals(text)).findFirst();
    }

    /** All versions, for messages. */
    public static String all() {
        return Arrays.stream(values()).map(CniVersion::text).collect(Collectors.joining(", "));
    }

    /** As it stands in cniVersion. */
    public String text() {
        return text;
    }

    /** True from the given version on. */
    public boolean atLeast(CniVersion other) {
        return compareTo(other) >= 0;
    }
}
