package io.podwire.policy.model;

import com.google.common.collect.ImmutableSortedSet;
import io.podwire.common.net.IpPrefix;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The other side of allowed traffic. The text form is the whole definition: equal texts mean equal
 * peers.
 */
public sealed interface Peer {
    /**
     * Pods of one namespace: a podSelector alone means the policy's own.
     *
     * @param namespace that namespace
     * @param pods which of its pods
     */
    record InNamespace(String namespace, LabelSelector pods) implements Peer {
        @Override
        public String toString() {
            return "namespace " + namespace + " pods " + pods;
        }
    }

    /**
     * Pods of selected namespaces.
     *
     * @param namespaces which namespaces
     * @param pods which of their pods
     */
    record InNamespaces(LabelSelector namespaces, LabelSelector pods) implements Peer {
        @Override
        public String toString() {
            return "namespaces " + namespaces + " pods " + pods;
        }
    }

    /**
     * Addresses.
     *
     * @param cidr these
     * @param except but not these; each lies within {@code cidr} and is smaller
     */
    record Block(IpPrefix cidr, Set<IpPrefix> except) implements Peer {
        /** Checks that the exceptions lie inside. */
        public Block {
            for (IpPrefix hole : except) {
                if (!cidr.contains(hole) || hole.equals(cidr)) {
                    throw new IllegalArgumentException(
                            "except " + hole + " must be a strict part of the ipBlock's cidr " + cidr);
                }
            }
            except = ImmutableSortedSet.copyOf(except);
        }

        @Override
        public String toString() {
            return "block " + cidr
                    + (except.isEmpty()
                            ? ""
                            : except.stream().map(IpPrefix::toString).collect(Collectors.joining(",", " except ", "")));
        }
    }

    /**
     * Addresses of nodes, which are no pods and name no ports.
     *
     * @param nodes which nodes
     */
    record Nodes(LabelSelector nodes) implements Peer {
        @Override
        public String toString() {
            return "nodes " + nodes;
        }
    }

    /**
     * Addresses of any of these networks, of either family; they name no ports.
     *
     * @param cidrs at least one
     */
    record Networks(Set<IpPrefix> cidrs) implements Peer {
        /** Checks that there are some. */
        public Networks {
            if (cidrs.isEmpty()) {
                throw new IllegalArgumentException("networks needs at least one CIDR prefix");
            }
            cidrs = ImmutableSortedSet.copyOf(cidrs);
        }

        /** They without those that lie in another one: disjoint, sorted, those of IPv4 first. */
        public List<IpPrefix> disjoint() {
            return cidrs.stream()
                    .filter(cidr -> cidrs.stream().noneMatch(other -> !other.equals(cidr) && other.contains(cidr)))
                    .toList();
        }

        @Override
        public String toString() {
            return cidrs.stream().map(IpPrefix::toString).collect(Collectors.joining(",", "networks ", ""));
        }
    }
}
