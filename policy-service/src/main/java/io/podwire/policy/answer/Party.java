package io.podwire.policy.answer;

import io.podwire.common.net.IpAddress;
import io.podwire.policy.model.PodKey;

/** Who is asked about. */
public sealed interface Party {
    /** A pod, by whatever addresses it has. */
    record OfPod(PodKey key) implements Party {}

    /** An address, whoever has it. */
    record OfAddress(IpAddress address) implements Party {}
}
