package io.podwire.node.bpf;

/** The kernel did not take a BPF program or a member of a map, or this machine has no libbpf. */
public final class BpfException extends Exception {
    private static final long serialVersionUID = 1L;

    /** Says what failed, and what to do about it. */
    public BpfException(String message) {
        super(message);
    }
}
