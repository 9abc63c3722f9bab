package io.podwire.node.netlink;

import io.podwire.node.ffm.Errno;
import io.podwire.node.netlink.nft.KernelChain;
import io.podwire.node.netlink.nft.KernelRule;
import io.podwire.node.netlink.nft.KernelSet;
import io.podwire.node.netlink.nft.Octets;
import io.podwire.node.netlink.nft.RulesCodec;
import io.podwire.node.netns.Netns;
import java.util.List;
import java.util.Optional;

/**
 * What nf_tables has in one network namespace, as the kernel runs it: rules with their counters, and whether a set has a
 * key, which the kernel looks up itself. It changes nothing, and costs nothing that grows with the members of sets. Safe
 * for all threads, one request at a time.
 */
public final class NftRules implements AutoCloseable {
    private final NetlinkSocket socket;

    private NftRules(NetlinkSocket socket) {
        this.socket = socket;
    }

    /** In the network namespace of the calling thread, whichever thread uses it later. */
    public static NftRules open() {
        return new NftRules(NetlinkSocket.openNetfilter());
    }

    /** In another namespace, which may be closed afterwards. */
    public static NftRules open(Netns ns) {
        return new NftRules(NetlinkSocket.openNetfilter(ns));
    }

    /**
     * A number that every transaction of anybody changes.
     *
     * @throws NetlinkException when the kernel does not tell
     */
    public int generation() {
        return socket.get(
                        () -> "ask for the generation of nf_tables",
                        RulesCodec.GET_GENERATION,
                        RulesCodec::writeGeneration,
                        RulesCodec::generation)
                .orElseThrow();
    }

    /**
     * The chains that hooks enter, of all tables of all families.
     *
     * @throws NetlinkException when the kernel does not tell
     */
    public List<KernelChain> hookedChains() {
        return socket.dump(
                () -> "list chains", RulesCodec.GET_CHAIN, out -> RulesCodec.writeDump(out, 0), RulesCodec::chain);
    }

    /**
     * The rules of a table; none for one that is not there.
     *
     * @param family NFPROTO_...
     * @throws NetlinkException when the kernel does not tell
     */
    public List<KernelRule> rules(int family, String table) {
        return rules(family, table, Optional.empty());
    }

    /**
     * The rules of a chain, in order; none for one that is not there.
     *
     * @param family NFPROTO_...
     * @throws NetlinkException when the kernel does not tell
     */
    public List<KernelRule> rules(int family, String table, String chain) {
        return rules(family, table, Optional.of(chain));
    }

    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // as in RulesCodec
    private List<KernelRule> rules(int family, String table, Optional<String> chain) {
        return socket.dump(
                () -> "list rules of table " + table
                        + chain.map(name -> ", chain " + name).orElse(""),
                RulesCodec.GET_RULE,
                out -> RulesCodec.writeRules(out, family, table, chain),
                message -> Optional.of(RulesCodec.rule(message)));
    }

    /**
     * What a set is; empty when it is not there.
     *
     * @param family NFPROTO_...
     * @throws NetlinkException when the kernel does not tell
     */
    public Optional<KernelSet> set(int family, String table, String set) {
        return socket.get(
                () -> "ask for set " + set,
                RulesCodec.GET_SET,
                out -> RulesCodec.writeSet(out, family, table, set),
                message -> Optional.of(RulesCodec.set(message)),
                Errno.ENOENT);
    }

    /**
     * Has the kernel look up a key of a set that has no ranges.
     *
     * @param family NFPROTO_...
     * @param key as many bytes as the set's keys have
     * @return empty when it has none
     * @throws NetlinkException when the kernel does not tell
     */
    public Optional<KernelSet.Member> member(int family, String table, String set, Octets key) {
        return socket.get(
                () -> "look up " + key + " in set " + set,
                RulesCodec.GET_MEMBER,
                out -> RulesCodec.writeMembers(out, family, table, set, Optional.of(key)),
                message -> RulesCodec.members(message).stream().findFirst(),
                Errno.ENOENT);
    }

    /**
     * All members of a set, in no order.
     *
     * @param family NFPROTO_...
     * @throws NetlinkException when the kernel does not tell
     */
    public List<KernelSet.Member> members(int family, String table, String set) {
        return socket
                .dump(
                        () -> "list members of set " + set,
                        RulesCodec.GET_MEMBER,
                        out -> RulesCodec.writeMembers(out, family, table, set, Optional.empty()),
                        message -> Optional.of(RulesCodec.members(message)))
                .stream()
                .flatMap(List::stream)
                .toList();
    }

    @Override
    public void close() {
        socket.close();
    }
}
