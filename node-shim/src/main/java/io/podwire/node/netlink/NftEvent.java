package io.podwire.node.netlink;

/** What {@link NftMonitor} tells. */
public sealed interface NftEvent {
    /**
     * A transaction changed something in a table, or the table itself.
     *
     * @param family as nft(8) says it: ip, ip6, inet, arp, bridge, netdev; otherwise "family" and its number
     * @param table its name
     * @param ours whether a socket of this process sent the transaction
     * @param process who sent it, for people: the name of the thread and its number in the first PID namespace,
     *     which is not that of this process's own
     */
    record TableChanged(String family, String table, boolean ours, String process) implements NftEvent {}

    /** Any table may have changed: look at all. All that changes from now on is told again. */
    record Lost() implements NftEvent {}
}
