package io.podwire.node.witness;

import io.podwire.node.netlink.nft.Expression;
import io.podwire.node.netlink.nft.KernelRule;
import io.podwire.node.netlink.nft.Octets;
import io.podwire.node.netlink.nft.SetVerdict;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Takes a packet through a chain of rules as the kernel has them, expression by expression over registers: what
 * nft_do_chain() does in net/netfilter/nf_tables_core.c. It shares nothing with what made the rules. Where a rule that
 * could decide says what it does not understand, there is no verdict, and no guess.
 */
final class Walk {
    private static final int REGISTER_BYTES = 64;
    /** NFT_JUMP_STACK_SIZE. */
    private static final int DEEPEST = 16;

    /** Kinds of expressions that match, load or write, and never decide. */
    private static final Set<String> HARMLESS = Set.of(
            "payload", "exthdr", "byteorder", "bitwise", "meta", "ct", "limit", "log", "fib", "counter", "notrack");

    /** Where rules and members come from. */
    interface Book {
        /** The rules of a chain, in order. */
        List<KernelRule> rules(String chain);

        /** What a set has for a key. */
        Found find(String set, Octets key);
    }

    /** What a set has for a key. */
    sealed interface Found {
        /** Nothing. */
        record None() implements Found {}

        /** The key is a member. */
        record Member() implements Found {}

        /** It cannot be asked, and why. */
        record Unreadable(String why) implements Found {}

        /** The key leads to a verdict. */
        record Leads(SetVerdict verdict) implements Found {}
    }

    /** How a chain was left. */
    sealed interface End {
        /** It was walked to its end, or a rule returned. */
        record Through() implements End {}

        /** A rule accepted. */
        record Accepted() implements End {}

        /** A rule dropped: its chain and comment. */
        record Dropped(String chain, String rule) implements End {}

        /** Nobody knows, and why. */
        record Unknown(String why) implements End {}
    }

    /** What a rule does. */
    private sealed interface Step {
        /** It does not match, or decides nothing. */
        record Next() implements Step {}

        record Verdict(SetVerdict verdict) implements Step {}

        record Unknown(String why) implements Step {}
    }

    private static final Step NEXT = new Step.Next();

    private final Book book;
    private final Packet packet;
    private final byte[] registers = new byte[REGISTER_BYTES];

    Walk(Book book, Packet packet) {
        this.book = book;
        this.packet = packet;
    }

    /** Takes the packet through a chain. */
    End through(String chain) {
        return through(chain, 0);
    }

    private End through(String chain, int depth) {
        if (depth > DEEPEST) {
            return new End.Unknown("jumps go deeper than the kernel allows, at chain " + chain);
        }
        for (KernelRule rule : book.rules(chain)) {
            switch (step(rule)) {
                case Step.Next _ -> {}
                case Step.Unknown(String why) -> {
                    return new End.Unknown("chain " + chain + " has a rule that " + why);
                }
                case Step.Verdict(SetVerdict(int code, String target)) -> {
                    switch (code) {
                        case SetVerdict.ACCEPT -> {
                            return new End.Accepted();
                        }
                        case SetVerdict.DROP -> {
                            return new End.Dropped(chain, rule.comment());
                        }
                        case SetVerdict.RETURN -> {
                            return new End.Through();
                        }
                        case SetVerdict.GOTO -> {
                            return through(target, depth + 1);
                        }
                        case SetVerdict.JUMP -> {
                            End end = through(target, depth + 1);
                            if (!(end instanceof End.Through)) {
                                return end;
                            }
                        }
                        case SetVerdict.CONTINUE -> {}
                        default -> {
                            return new End.Unknown("chain " + chain + " has a rule with verdict " + code);
                        }
                    }
                }
            }
        }
        return new End.Through();
    }

    private Step step(KernelRule rule) {
        if (rule.expressions().stream().noneMatch(Walk::canDecide)) {
            return NEXT;
        }
        for (Expression expression : rule.expressions()) {
            Optional<Step> ends = run(expression);
            if (ends.isPresent()) {
                return ends.get();
            }
        }
        return NEXT;
    }

    /** True for what can be the last step of a packet: all kinds but these are known to have no verdict of their own. */
    private static boolean canDecide(Expression expression) {
        return switch (expression) {
            case Expression.Decide _ -> true;
            case Expression.Lookup(var _, var _, OptionalInt to, var _) ->
                to.isPresent() && to.getAsInt() == Expression.Lookup.VERDICT;
            case Expression.Other(String name) -> !HARMLESS.contains(name);
            case Expression.Meta _, Expression.Flow _, Expression.Load _, Expression.Mask _ -> false;
            case Expression.Compare _, Expression.Range _, Expression.Counter _ -> false;
        };
    }

    /** Empty: on to the next expression. */
    private Optional<Step> run(Expression expression) {
        return switch (expression) {
            case Expression.Meta(int key, int to) -> load(packet.meta(key), to, "reads meta key " + key);
            case Expression.Flow(int key, OptionalInt direction, int to) ->
                load(packet.flow(key, direction), to, "reads conntrack key " + key);
            case Expression.Load(int to, Octets value) -> {
                write(to, value);
                yield Optional.empty();
            }
            case Expression.Decide(SetVerdict verdict) -> Optional.of(new Step.Verdict(verdict));
            case Expression.Compare(int from, int operator, Octets with) -> compare(from, operator, with);
            case Expression.Range(int from, boolean inside, Octets first, Octets last) -> {
                Octets value = read(from, first.length());
                boolean is = value.compareTo(first) >= 0 && value.compareTo(last) <= 0;
                yield is == inside ? Optional.empty() : Optional.of(NEXT);
            }
            case Expression.Mask(int from, int to, Octets mask, Octets xor) -> {
                byte[] value = read(from, mask.length()).toBytes();
                for (int i = 0; i < value.length; i++) {
                    value[i] = (byte) ((value[i] & mask.at(i)) ^ xor.at(i));
                }
                write(to, Octets.of(value));
                yield Optional.empty();
            }
            case Expression.Lookup lookup -> look(lookup);
            case Expression.Counter _ -> Optional.empty();
            case Expression.Other(String name) ->
                name.equals("log") ? Optional.empty() : Optional.of(new Step.Unknown("uses " + name));
        };
    }

    private Optional<Step> load(Packet.Fact fact, int to, String what) {
        return switch (fact) {
            case Packet.Fact.Known(Octets value) -> {
                write(to, value);
                yield Optional.empty();
            }
            case Packet.Fact.Missing _ -> Optional.of(NEXT);
            case Packet.Fact.Untold _ -> Optional.of(new Step.Unknown(what));
        };
    }

    private Optional<Step> compare(int from, int operator, Octets with) {
        int order = read(from, with.length()).compareTo(with);
        boolean holds;
        // enum nft_cmp_ops.
        switch (operator) {
            case 0 -> holds = order == 0;
            case 1 -> holds = order != 0;
            case 2 -> holds = order < 0;
            case 3 -> holds = order <= 0;
            case 4 -> holds = order > 0;
            case 5 -> holds = order >= 0;
            default -> {
                return Optional.of(new Step.Unknown("compares by operator " + operator));
            }
        }
        return holds ? Optional.empty() : Optional.of(NEXT);
    }

    private Optional<Step> look(Expression.Lookup lookup) {
        Found found = book.find(lookup.set(), read(lookup.from(), REGISTER_BYTES - lookup.from()));
        if (found instanceof Found.Unreadable(String why)) {
            return Optional.of(new Step.Unknown(why));
        }
        boolean is = !(found instanceof Found.None);
        if (is == lookup.inverted()) {
            return Optional.of(NEXT);
        }
        if (lookup.to().isEmpty()) {
            return Optional.empty();
        }
        return found instanceof Found.Leads(SetVerdict verdict) && lookup.to().getAsInt() == Expression.Lookup.VERDICT
                ? Optional.of(new Step.Verdict(verdict))
                : Optional.of(new Step.Unknown("loads from map " + lookup.set()));
    }

    /** Values are padded with zeros to whole fours of bytes. */
    private void write(int to, Octets value) {
        int end = Math.min(REGISTER_BYTES, to + ((value.length() + 3) & ~3));
        Arrays.fill(registers, to, end, (byte) 0);
        System.arraycopy(value.toBytes(), 0, registers, to, Math.min(value.length(), end - to));
    }

    private Octets read(int from, int bytes) {
        return Octets.of(Arrays.copyOfRange(registers, from, Math.min(REGISTER_BYTES, from + bytes)));
    }
}
