package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import java.util.List;

/** What became of a {@link SingleWish}; but for the first, the pod has nothing of it. */
public sealed interface SingleAnswer {
    /** They are the pod's, and no other's in the cluster. */
    record Given(List<IpAddress> addresses) implements SingleAnswer {
        /** Copies. */
        public Given {
            addresses = List.copyOf(addresses);
        }
    }

    /**
     * They cannot be had now.
     *
     * @param why a sentence that names who has them, or who did not answer
     */
    record NotNow(String why) implements SingleAnswer {}

    /**
     * They cannot be had, however often the pod is tried again: it asks for the wrong thing.
     *
     * @param why a sentence
     */
    record Never(String why) implements SingleAnswer {}
}
