package io.podwire.cli.lab;

import java.util.List;

/** What a runtime says to GC about the attachments that are valid still. */
public sealed interface ValidAttachments {
    /**
     * A list of them, as containerd and libcni's users send it.
     *
     * @param attachments those that stay
     */
    record Named(List<CniAttachment> attachments) implements ValidAttachments {
        /** Copies what could change. */
        public Named {
            attachments = List.copyOf(attachments);
        }
    }

    /** JSON null, as CRI-O sends it for a node without pods on the network. */
    record Null() implements ValidAttachments {}

    /** No such key at all, as {@code cnitool gc} leaves it. */
    record Absent() implements ValidAttachments {}

    /** Some attachments, or none. */
    static ValidAttachments of(CniAttachment... attachments) {
        return new Named(List.of(attachments));
    }
}
