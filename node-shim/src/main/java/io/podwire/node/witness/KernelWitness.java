package io.podwire.node.witness;

import io.podwire.common.net.IpAddress;
import io.podwire.node.netlink.NetlinkException;
import io.podwire.node.netlink.NftRules;
import io.podwire.node.netlink.NftTables;
import io.podwire.node.netlink.nft.KernelChain;
import io.podwire.node.netlink.nft.KernelRule;
import io.podwire.node.netlink.nft.KernelSet;
import io.podwire.node.netlink.nft.Octets;
import io.podwire.node.netlink.wire.NlFormatException;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.plan.LocalEndpoint;
import io.podwire.node.plan.RulesetPlanner;
import io.podwire.node.plan.WiringMode;
import io.podwire.node.witness.Testimony.Verdict;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * A second witness beside the compiler: says what becomes of a connection from the rules that the kernel has, read back
 * from it, with the kernel's own look into its sets. It knows no program, no plan and no text of rules, and sends nothing.
 * What it does not see: packets on their way before and behind these hooks (routes, anti-spoofing, other programs' rules,
 * which it names), and whether the kernel runs a rule as it shows it. Safe for all threads.
 */
public final class KernelWitness {
    private static final int TRIES = 3;
    /** NFPROTO_INET, and NF_INET_... hooks, linux/netfilter.h. */
    private static final int INET = 1;

    private static final int INPUT = 1;
    private static final int FORWARD = 2;
    private static final int OUTPUT = 3;
    /** NFT_TABLE_F_DORMANT. */
    private static final int DORMANT = 1;

    private static final String TABLE = RulesetPlanner.POLICY_TABLE.name();

    private final NftRules kernel;
    private final NftTables tables;
    private final Supplier<? extends Collection<LocalEndpoint>> endpoints;
    private final Predicate<IpAddress> ofNode;
    private final String bridge;
    private final LongSupplier revision;

    /**
     * A witness.
     *
     * @param endpoints the node's attachments
     * @param ofNode true for the node's own addresses
     * @param bridge the pods' bridge
     * @param revision of the program in the kernel
     */
    public KernelWitness(
            NftRules kernel,
            NftTables tables,
            Supplier<? extends Collection<LocalEndpoint>> endpoints,
            Predicate<IpAddress> ofNode,
            String bridge,
            LongSupplier revision) {
        this.kernel = kernel;
        this.tables = tables;
        this.endpoints = endpoints;
        this.ofNode = ofNode;
        this.bridge = bridge;
        this.revision = revision;
    }

    /** A connection that is asked about. */
    public record Question(IpAddress source, IpAddress destination, IpProtocol protocol, int port) {
        /** Checks families and port. */
        public Question {
            if (source.family() != destination.family()) {
                throw new IllegalArgumentException(source + " and " + destination + " are of two families");
            }
            if (port < 1 || port > 65535) {
                throw new IllegalArgumentException("port must be 1 to 65535, got " + Integer.toUnsignedString(port));
            }
        }
    }

    /** Where an end of a connection is, as the node in the middle sees it. */
    private sealed interface Side {
        record Pod(LocalEndpoint endpoint, String ifname) implements Side {}

        /** A pod on a device whose packets this node does not see. */
        record Unseen(LocalEndpoint endpoint) implements Side {}

        record Node() implements Side {}

        record Elsewhere() implements Side {}
    }

    /** Asks the kernel. */
    public Testimony ask(Question question) {
        Side from = side(question.source());
        Side to = side(question.destination());
        if (from instanceof Side.Unseen || to instanceof Side.Unseen) {
            return testimony(new Verdict.Elsewhere(), List.of());
        }
        boolean anyPod = from instanceof Side.Pod || to instanceof Side.Pod;
        // Pods on a device meet there, or not, as their modes have it (ADR 0012): no policy is asked.
        if (!anyPod || from.equals(to) || (isOnDevice(from) && isOnDevice(to))) {
            return testimony(new Verdict.Elsewhere(), List.of());
        }
        try {
            for (int i = 0; i < TRIES; i++) {
                int before = kernel.generation();
                Testimony testimony = look(question, from, to);
                if (kernel.generation() == before) {
                    return testimony;
                }
            }
            return testimony(
                    new Verdict.Unknown("the rules changed during each of " + TRIES + " looks; ask again"), List.of());
        } catch (NetlinkException | NlFormatException e) {
            return testimony(new Verdict.Unknown("the kernel's rules cannot be read: " + e.getMessage()), List.of());
        }
    }

    private static boolean isOnDevice(Side side) {
        return side instanceof Side.Pod(LocalEndpoint endpoint, var _)
                && endpoint.hostSide() == WiringMode.HostSide.SHARED_DEVICE;
    }

    private Testimony testimony(Verdict verdict, List<String> others) {
        return new Testimony(verdict, revision.getAsLong(), others);
    }

    private Side side(IpAddress address) {
        for (LocalEndpoint endpoint : endpoints.get()) {
            if (endpoint.addresses().list().contains(address)) {
                return switch (endpoint.hostSide()) {
                    case BRIDGE_PORT -> new Side.Pod(endpoint, bridge);
                    case OWN_LINK, SHARED_DEVICE -> new Side.Pod(endpoint, endpoint.hostIfname());
                    case NONE -> new Side.Unseen(endpoint);
                };
            }
        }
        return ofNode.test(address) ? new Side.Node() : new Side.Elsewhere();
    }

    private Testimony look(Question question, Side from, Side to) {
        long enforced = revision.getAsLong();
        List<KernelChain> hooked = kernel.hookedChains();
        int flags = tables.flags(INET, TABLE).orElse(0);
        Book book = new Book();
        Verdict verdict = new Verdict.Passes();
        List<String> others = List.of();
        for (boolean reply : new boolean[] {false, true}) {
            Packet packet = packet(question, reply, reply ? to : from, reply ? from : to);
            int hook = packet.iifname().isEmpty() ? OUTPUT : packet.oifname().isEmpty() ? INPUT : FORWARD;
            others = reply ? others : others(hooked, hook, packet.nfproto());
            Verdict one = (flags & DORMANT) != 0 ? new Verdict.Passes() : through(hooked, hook, packet, book);
            if (!(one instanceof Verdict.Passes)) {
                verdict = one;
                break;
            }
        }
        return new Testimony(verdict, enforced, others);
    }

    private Packet packet(Question question, boolean reply, Side in, Side out) {
        return new Packet(
                reply,
                ifname(in),
                ifname(out),
                question.source(),
                question.destination(),
                question.protocol().number(),
                question.port());
    }

    /** Of what is elsewhere no rule of ours asks more than that it is no pod's. */
    private static String ifname(Side side) {
        return switch (side) {
            case Side.Pod(var _, String name) -> name;
            case Side.Node _, Side.Unseen _ -> "";
            case Side.Elsewhere _ -> "elsewhere";
        };
    }

    private static Verdict through(List<KernelChain> hooked, int hook, Packet packet, Book book) {
        List<KernelChain> ours = hooked.stream()
                .filter(chain ->
                        isOurs(chain) && chain.hook() == hook && chain.type().equals("filter"))
                .sorted(Comparator.comparingInt(KernelChain::priority))
                .toList();
        for (KernelChain chain : ours) {
            switch (new Walk(book, packet).through(chain.name())) {
                case Walk.End.Accepted _ -> {}
                case Walk.End.Through _ -> {
                    if (!chain.accepts()) {
                        return new Verdict.Dropped(chain.name(), "policy", packet.reply());
                    }
                }
                case Walk.End.Dropped(String in, String rule) -> {
                    return new Verdict.Dropped(in, rule, packet.reply());
                }
                case Walk.End.Unknown(String why) -> {
                    return new Verdict.Unknown(why);
                }
            }
        }
        return new Verdict.Passes();
    }

    private static boolean isOurs(KernelChain chain) {
        return chain.family() == INET && chain.table().equals(TABLE);
    }

    private static List<String> others(List<KernelChain> hooked, int hook, int nfproto) {
        return hooked.stream()
                .filter(chain ->
                        !isOurs(chain) && chain.hook() == hook && chain.type().equals("filter"))
                .filter(chain -> chain.family() == INET || chain.family() == nfproto)
                .map(chain -> family(chain.family()) + " " + chain.table())
                .distinct()
                .sorted()
                .toList();
    }

    private static String family(int nfproto) {
        return switch (nfproto) {
            case INET -> "inet";
            case Packet.IPV4 -> "ip";
            default -> "ip6";
        };
    }

    /** The kernel's rules and sets, each read once. Belongs to one look. */
    private final class Book implements Walk.Book {
        private final Map<String, List<KernelRule>> chains = new HashMap<>();
        private final Map<String, Optional<KernelSet>> sets = new HashMap<>();
        private final Map<String, List<KernelSet.Member>> ranges = new HashMap<>();

        @Override
        public List<KernelRule> rules(String chain) {
            return chains.computeIfAbsent(chain, name -> kernel.rules(INET, TABLE, name));
        }

        @Override
        public Walk.Found find(String name, Octets register) {
            Optional<KernelSet> set = sets.computeIfAbsent(name, of -> kernel.set(INET, TABLE, of));
            if (set.isEmpty()) {
                return new Walk.Found.Unreadable("asks set " + name + ", which is gone");
            }
            if (set.get().isConcatenatedInterval()) {
                return new Walk.Found.Unreadable("asks set " + name + " of ranges in several fields");
            }
            Octets key = first(register, set.get().keyBytes());
            Optional<KernelSet.Member> member = set.get().isInterval()
                    ? in(ranges.computeIfAbsent(name, of -> kernel.members(INET, TABLE, of)), key)
                    : kernel.member(INET, TABLE, name, key);
            return member.<Walk.Found>map(m ->
                            m.verdict().<Walk.Found>map(Walk.Found.Leads::new).orElseGet(Walk.Found.Member::new))
                    .orElseGet(Walk.Found.None::new);
        }

        private static Octets first(Octets register, int bytes) {
            byte[] all = register.toBytes();
            return Octets.of(Arrays.copyOf(all, bytes));
        }

        /** The last bound that is not behind the key tells: a range begins there, or the one before has ended. */
        private static Optional<KernelSet.Member> in(List<KernelSet.Member> bounds, Octets key) {
            return bounds.stream()
                    .filter(bound -> bound.key().compareTo(key) <= 0)
                    // Where one range ends and the next begins, the beginning counts.
                    .max(Comparator.comparing(KernelSet.Member::key)
                            .thenComparing(KernelSet.Member::end, Comparator.reverseOrder()))
                    .filter(bound -> !bound.end());
        }
    }
}
