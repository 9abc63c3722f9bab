package io.podwire.node.service;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.netlink.nft.Octets;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.service.ServiceChains.Needed;
import io.podwire.node.service.ServicePort.Target;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * What one port is in the kernel: a few members of {@link ServiceMap}s, whose number depends on its addresses and
 * endpoints alone.
 *
 * @param members what it leads to, by which member it is
 * @param chains those that members lead to, by name
 */
public record ServiceMembers(Map<Member.Place, Member.Value> members, Map<String, Needed> chains) {
    /** Nothing. */
    public static final ServiceMembers NONE = new ServiceMembers(Map.of(), Map.of());

    /**
     * The members of a port.
     *
     * @param has which of its addresses and node ports are its own: those that another Service had before are not
     */
    static ServiceMembers of(ServicePort port, Predicate<Front> has) {
        Draft draft = new Draft(port);
        port.fronts().stream().filter(has).forEach(draft::front);
        return new ServiceMembers(draft.members, draft.chains);
    }

    /** Where an endpoint of a front is. */
    static Member.Place slot(ServicePort port, Front front, boolean local, int index) {
        Key key = new Key();
        if (front instanceof Front.At at) {
            key.address(at.address());
        }
        return new Member.Place(
                ServiceMap.endpoints(port.protocol(), front instanceof Front.NodePort),
                port.family(),
                key.port(front.port())
                        .number(index + (local ? ServiceChains.LOCAL : 0))
                        .octets());
    }

    /** What was called where a call was led on, of protocols without connections; empty for another member. */
    static Optional<Called> calledAt(Member.Place place) {
        byte[] key = place.key().toBytes();
        int address = switch (place.map()) {
            case INSIDE -> place.family().bits() / Byte.SIZE;
            case INSIDE_PORTS -> 0;
            default -> -1;
        };
        if (address < 0 || key.length != address + 2 * Integer.BYTES) {
            return Optional.empty();
        }
        int port = Byte.toUnsignedInt(key[address + Integer.BYTES]) << Byte.SIZE
                | Byte.toUnsignedInt(key[address + Integer.BYTES + 1]);
        return Arrays.stream(IpProtocol.values())
                .filter(protocol -> protocol != IpProtocol.TCP && protocol.number() == Byte.toUnsignedInt(key[address]))
                .findFirst()
                .map(protocol -> new Called(
                        place.family(),
                        address == 0 ? Optional.empty() : Optional.of(IpAddress.ofBytes(Arrays.copyOf(key, address))),
                        protocol,
                        port,
                        Set.of()));
    }

    /** As the kernel has an endpoint. */
    static Octets octets(Target target) {
        return new Key().address(target.address()).port(target.port()).octets();
    }

    /** Who called a front before and may be led to what is gone. */
    static Clients clients(ServicePort port, Front front, Set<Octets> endpoints) {
        return new Clients(
                port.family(), front instanceof Front.NodePort, key(front).octets(), endpoints);
    }

    private static Key key(Front front) {
        Key key = new Key();
        if (front instanceof Front.At at) {
            key.address(at.address());
        }
        return key.protocol(front.protocol()).port(front.port());
    }

    /** The members of one port in the making. */
    private static final class Draft {
        private final ServicePort port;
        private final IpFamily family;
        private final Map<Member.Place, Member.Value> members = new LinkedHashMap<>();
        private final Map<String, Needed> chains = new HashMap<>();

        Draft(ServicePort port) {
            this.port = port;
            this.family = port.family();
        }

        void front(Front front) {
            boolean clusterIp = front instanceof Front.At at && at.kind() == Front.Kind.CLUSTER_IP;
            // Calls from inside to what is for the outside are served as if they came by the cluster IP of any node.
            boolean insideLocal = clusterIp && port.internalLocal();
            boolean outsideLocal = clusterIp ? port.internalLocal() : port.externalLocal();
            boolean nodePort = front instanceof Front.NodePort;
            Octets key = key(front).octets();
            if (front instanceof Front.At(IpAddress address, var _, var _, Front.Kind kind)) {
                if (kind == Front.Kind.CLUSTER_IP) {
                    put(ServiceMap.CLUSTER_IPS, new Key().address(address).octets(), Member.NONE);
                }
                if (kind == Front.Kind.LOAD_BALANCER_IP && port.restricted()) {
                    put(ServiceMap.GUARDS, key, chain(guard(), true));
                }
            }
            if (!(insideLocal && outsideLocal)) {
                slots(front, false);
            }
            if (insideLocal || outsideLocal) {
                slots(front, true);
            }
            put(nodePort ? ServiceMap.INSIDE_PORTS : ServiceMap.INSIDE, key, choice(nodePort, insideLocal));
            put(nodePort ? ServiceMap.OUTSIDE_PORTS : ServiceMap.OUTSIDE, key, choice(nodePort, outsideLocal));
            if (!outsideLocal) {
                put(nodePort ? ServiceMap.TRANSLATED_PORTS : ServiceMap.TRANSLATED, key, Member.NONE);
            }
            if (port.remembersClients()) {
                Needed remember = ServiceChains.remember(family, nodePort, port.affinitySeconds());
                put(nodePort ? ServiceMap.STICKY_PORTS : ServiceMap.STICKY, key, chain(remember, false));
            }
        }

        private void slots(Front front, boolean local) {
            List<Target> targets = local ? port.local() : port.cluster();
            for (int i = 0; i < targets.size(); i++) {
                Target target = targets.get(i);
                members.put(slot(port, front, local, i), new Member.Data(octets(target)));
                if (target.here()) {
                    put(
                            ServiceMap.SELF,
                            new Key()
                                    .address(target.address())
                                    .address(target.address())
                                    .octets(),
                            Member.NONE);
                }
            }
        }

        private Member.Value choice(boolean nodePort, boolean local) {
            int count = (local ? port.local() : port.cluster()).size();
            if (count == 0) {
                return new Member.Chain(port.served() ? ServiceChains.NOT_HERE : ServiceChains.NO_ENDPOINTS, false);
            }
            Needed pick = ServiceChains.pick(family, port.protocol(), nodePort, local, count);
            Member.Value choice = chain(pick, false);
            return port.remembersClients() ? chain(ServiceChains.again(family, nodePort, pick), false) : choice;
        }

        private Needed guard() {
            List<IpPrefix> sources = port.sources().stream().distinct().sorted().toList();
            return ServiceChains.guard(family, sources, "sources-" + digest(family.label() + sources));
        }

        private Member.Value chain(Needed chain, boolean jump) {
            chains.put(chain.name(), chain);
            return new Member.Chain(chain.name(), jump);
        }

        private void put(ServiceMap map, Octets key, Member.Value value) {
            members.put(new Member.Place(map, family, key), value);
        }
    }

    private static String digest(String text) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /** A key as nf_tables has it: fields in network order, each padded to four bytes; what is counted in the machine's. */
    private static final class Key {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(32);

        Key address(IpAddress address) {
            bytes.writeBytes(address.bytes());
            return this;
        }

        Key protocol(IpProtocol protocol) {
            bytes.writeBytes(new byte[] {(byte) protocol.number(), 0, 0, 0});
            return this;
        }

        Key port(int port) {
            bytes.writeBytes(new byte[] {(byte) (port >> 8), (byte) port, 0, 0});
            return this;
        }

        Key number(int number) {
            bytes.writeBytes(ByteBuffer.allocate(Integer.BYTES)
                    .order(ByteOrder.nativeOrder())
                    .putInt(number)
                    .array());
            return this;
        }

        Octets octets() {
            return Octets.of(bytes.toByteArray());
        }
    }
}
