package io.podwire.policy.publish;

import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.compile.ProgramDelta;

/** What is sent to a node. */
sealed interface Update {
    /** Revision that the node has reached after it. */
    long revision();

    /** The whole program. */
    record Full(long revision, NodeProgram program) implements Update {}

    /** The node said that it has the program. */
    record Unchanged(long revision) implements Update {}

    /** What changes from the program that the node acknowledged last. */
    record Delta(long revision, ProgramDelta delta) implements Update {}
}
