package io.podwire.ipam.core;

/**
 * Who made a pool, and so who alone changes and deletes it.
 *
 * @param kind where the pool is declared
 * @param file name of the manifest's file; empty for the other kinds
 */
public record PoolSource(Kind kind, String file) {
    /** A call, or {@code --pool}. */
    public static final PoolSource GRPC = new PoolSource(Kind.GRPC, "");

    /** An IPPool of the Kubernetes API. */
    public static final PoolSource KUBERNETES = new PoolSource(Kind.KUBERNETES, "");

    private static final String MANIFEST = "manifest:";

    /** Where a pool is declared. */
    public enum Kind {
        /** Nowhere: it was made by a call. */
        GRPC,
        /** In a folder of manifests. */
        MANIFEST,
        /** In the Kubernetes API. */
        KUBERNETES
    }

    /** A manifest in a file of this name. */
    public static PoolSource manifest(String file) {
        return new PoolSource(Kind.MANIFEST, file);
    }

    /**
     * What {@link #toString} wrote.
     *
     * @throws IllegalArgumentException when it is none of them
     */
    public static PoolSource parse(String text) {
        if (text.startsWith(MANIFEST)) {
            return manifest(text.substring(MANIFEST.length()));
        }
        return switch (text) {
            case "grpc" -> GRPC;
            case "kubernetes" -> KUBERNETES;
            default ->
                throw new IllegalArgumentException(
                        "source must be grpc, kubernetes or manifest:FILE, got '" + text + "'");
        };
    }

    /** grpc, kubernetes or manifest:FILE. */
    @Override
    public String toString() {
        return switch (kind) {
            case GRPC -> "grpc";
            case MANIFEST -> MANIFEST + file;
            case KUBERNETES -> "kubernetes";
        };
    }
}
