package io.podwire.route.reflect;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import java.util.Set;

/**
 * What a node owns is to be read anew.
 *
 * @param node its name
 * @param singles whose single addresses these are is to be read too
 */
public record Question(NodeName node, Set<IpAddress> singles) {
    /** Copies. */
    public Question {
        singles = Set.copyOf(singles);
    }
}
