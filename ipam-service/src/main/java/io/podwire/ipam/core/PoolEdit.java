package io.podwire.ipam.core;

import io.podwire.common.net.IpPrefix;
import java.util.List;

/** One field of a pool that is to change. */
public sealed interface PoolEdit {
    /** Other addresses, more or fewer. */
    record Cidr(IpPrefix cidr) implements PoolEdit {}

    /** Another size of its blocks. */
    record BlockLength(int blockLength) implements PoolEdit {}

    /** Another state. */
    record State(PoolState state) implements PoolEdit {}

    /** Other ranges that are given to nobody. */
    record Reserved(List<IpPrefix> reserved) implements PoolEdit {
        /** Copies. */
        public Reserved {
            reserved = List.copyOf(reserved);
        }
    }

    /** Other nodes to give blocks to. */
    record Nodes(NodeSelector nodes) implements PoolEdit {}

    /** Other namespaces that it is for. */
    record Namespaces(NamespaceSelector namespaces) implements PoolEdit {}

    /** Another purpose. */
    record Purpose(PoolPurpose purpose) implements PoolEdit {}

    /** Another cool-down of its addresses. */
    record Cooling(CoolDown coolDown) implements PoolEdit {}

    /** Another pace of its draining. */
    record Pace(DrainPace pace) implements PoolEdit {}

    /** Somebody else alone may change it from now on. */
    record Source(PoolSource source) implements PoolEdit {}
}
