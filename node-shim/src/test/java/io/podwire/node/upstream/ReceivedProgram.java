package io.podwire.node.upstream;

import io.podwire.node.plan.NodeProgram;
import io.podwire.proto.policy.v1.Program;

/** What a node makes of a program that policy-service sends it. */
public final class ReceivedProgram {
    private ReceivedProgram() {}

    /** The program at revision 1. */
    public static NodeProgram of(Program message) {
        return StreamMapping.program(1, message);
    }
}
