package io.podwire.node.nft.model;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import java.util.List;

/** What a rule does with a packet that matches. */
public sealed interface Action
        permits Verdict, Action.Lookup, Action.Translate, Action.Masquerade, Action.Rewrite, Action.Log {

    /**
     * The verdict that a map has for the field; no entry: the next rule.
     *
     * @param key what is looked up
     * @param map name of a {@link NftSet.VerdictMap}
     */
    record Lookup(Field key, String map) implements Action {
        /** Checks the name. */
        public Lookup {
            Identifiers.check("map", map);
        }
    }

    /**
     * Gives the flow another destination, which a map has for the fields together; no entry: the next rule. Only in
     * chains of type {@link ChainType#NAT}, and it ends them.
     *
     * @param family of the destination
     * @param keys what is looked up
     * @param map name of a {@link NftSet.PortMap}
     */
    record Translate(IpFamily family, List<Field> keys, String map) implements Action {
        /** Checks the name and copies. */
        public Translate {
            keys = List.copyOf(keys);
            Identifiers.check("map", map);
        }
    }

    /**
     * Gives the flow the node's own address as its source. Only in a postrouting chain of type NAT, and it ends it.
     *
     * @param randomPorts true: the kernel draws source ports instead of keeping the sender's where it can, so that two
     *     processors that translate flows to one destination at once do not choose the same one, which drops a packet
     */
    record Masquerade(boolean randomPorts) implements Action {}

    /**
     * Writes an address into this packet, whatever its flow; on to the next rule.
     *
     * @param field where
     * @param value what
     */
    record Rewrite(Field field, IpAddress value) implements Action {}

    /**
     * Hands the packet's beginning to whoever listens to a group of nfnetlink_log, when the rule has not done so too
     * often; on to the next rule.
     *
     * @param group 0 to 65535
     * @param perSecond how often at most, and how often at once, 1 to 100000
     * @param prefix goes with it: characters of a comment, at most 127
     */
    record Log(int group, int perSecond, String prefix) implements Action {
        /** NF_LOG_PREFIXLEN, linux/netfilter/nf_log.h, without the closing NUL. */
        public static final int MAX_PREFIX = 127;

        /** Checks the ranges. */
        public Log {
            if (group < 0 || group > 65535 || perSecond < 1 || perSecond > 100_000) {
                throw new IllegalArgumentException("log group " + group + " must be 0 to 65535, and " + perSecond
                        + " a second must be 1 to 100000");
            }
            Identifiers.checkComment(prefix);
            if (prefix.length() > MAX_PREFIX) {
                throw new IllegalArgumentException("log prefix '" + prefix + "' is longer than " + MAX_PREFIX);
            }
        }
    }
}
