package io.podwire.node.nft.model;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import java.util.List;

/** What a rule does with a packet that matches. */
public sealed interface Action permits Verdict, Action.Lookup, Action.Translate, Action.Masquerade, Action.Rewrite {

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

    /** Gives the flow the node's own address as its source. Only in a postrouting chain of type NAT, and it ends it. */
    record Masquerade() implements Action {}

    /**
     * Writes an address into this packet, whatever its flow; on to the next rule.
     *
     * @param field where
     * @param value what
     */
    record Rewrite(Field field, IpAddress value) implements Action {}
}
