package io.podwire.node.upstream;

import io.podwire.common.service.ProgramHash;
import io.podwire.node.plan.NodeProgram;
import io.podwire.proto.policy.v1.Program;

/** What a node makes of a program that policy-service sends it. */
public final class ReceivedProgram {
    private ReceivedProgram() {}

    /** The program at revision 1. */
    public static NodeProgram of(Program message) {
        return StreamMapping.program(1, message);
    }

    /** By which the node names it to policy-service. */
    public static String hash(NodeProgram program) {
        return ProgramHash.of(StreamMapping.program(program));
    }
}
