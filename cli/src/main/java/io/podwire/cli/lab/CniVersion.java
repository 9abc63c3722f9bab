package io.podwire.cli.lab;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** The released versions of the CNI specification, oldest first. */
public enum CniVersion {
    /** Result with ip4 and ip6. */
    V0_1_0("0.1.0"),
    /** VERSION. */
    V0_2_0("0.2.0"),
    /** Result with interfaces and ips; chains. */
    V0_3_0("0.3.0"),
    /** As 0.3.0. */
    V0_3_1("0.3.1"),
    /** CHECK; prevResult on DEL. */
    V0_4_0("0.4.0"),
    /** No version in ips. */
    V1_0_0("1.0.0"),
    /** GC and STATUS. */
    V1_1_0("1.1.0");

    private final String text;

    CniVersion(String text) {
        this.text = text;
    }

    /** The version of this text; empty when it is none of these. */
    public static Optional<CniVersion> of(String text) {
        return Arrays.stream(values())
                .filter(version -> version.text.equals(text))
                .findFirst();
    }

    /** All of them as text, oldest first. */
    public static List<String> texts() {
        return Arrays.stream(values()).map(CniVersion::text).toList();
    }

    /** As it stands in {@code cniVersion}. */
    public String text() {
        return text;
    }

    /** True from the given version on. */
    public boolean atLeast(CniVersion other) {
        return compareTo(other) >= 0;
    }

    /** As {@link #text}. */
    @Override
    public String toString() {
        return text;
    }
}
