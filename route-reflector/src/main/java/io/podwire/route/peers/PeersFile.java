package io.podwire.route.peers;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.route.bgp.message.Community;
import io.podwire.route.bgp.message.LargeCommunity;
import io.podwire.route.reflect.bgp.PeerPolicy;
import io.podwire.route.reflect.bgp.PrefixList;
import io.podwire.route.rib.bgp.Neighbor;
import io.podwire.route.session.PeerSettings;
import io.podwire.route.session.Secret;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Peers as people write them. Unknown keys are errors. */
public final class PeersFile {
    private static final int BGP_PORT = 179;
    private static final int HOLD_SECONDS = 90;
    private static final int RESTART_SECONDS = 120;
    private static final int MAX_PREFIXES = 10_000;

    private static final YAMLMapper YAML = YAMLMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .build();
    private static final JsonMapper VALUES = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .build();

    private PeersFile() {}

    /** The file. */
    record Written(List<Peer> peers) {
        Written {
            peers = peers == null ? List.of() : List.copyOf(peers);
        }
    }

    /** A peer in the file; what is not there is null here and has its default below. */
    public record Peer(
            String name,
            String address,
            Integer port,
            Long asn,
            Boolean client,
            Boolean passive,
            List<String> families,
            Integer holdSeconds,
            Integer restartSeconds,
            Boolean ttlSecurity,
            String passwordFile,
            Integer addPaths,
            Integer maxPrefixes,
            List<String> importRules,
            List<String> exportRules,
            List<String> communities,
            List<String> largeCommunities) {
        /** Copies. */
        public Peer {
            families = copy(families);
            importRules = copy(importRules);
            exportRules = copy(exportRules);
            communities = copy(communities);
            largeCommunities = copy(largeCommunities);
        }

        private static List<String> copy(List<String> texts) {
            return texts == null ? null : List.copyOf(texts);
        }
    }

    /**
     * Reads the file.
     *
     * @param ours our AS number
     * @throws IllegalArgumentException naming the peer and the key that is wrong
     */
    public static List<PeerSettings> parse(byte[] content, long ours) {
        Written written = read(() -> YAML.readValue(content, Written.class));
        List<PeerSettings> peers = new ArrayList<>();
        for (int i = 0; i < written.peers().size(); i++) {
            Peer peer = written.peers().get(i);
            try {
                peers.add(settings(peer, ours));
            } catch (IllegalArgumentException e) {
                String which = peer.name() != null ? peer.name() : "number " + (i + 1);
                throw new IllegalArgumentException("peer " + which + ": " + e.getMessage(), e);
            }
        }
        return peers;
    }

    /**
     * Reads {@code key=value,...}.
     *
     * @param ours our AS number
     * @throws IllegalArgumentException naming the key that is wrong
     */
    public static PeerSettings parseOption(String text, long ours) {
        Map<String, String> values = new LinkedHashMap<>();
        for (String part : text.split(",", -1)) {
            int equals = part.indexOf('=');
            if (equals < 1 || values.put(part.substring(0, equals), part.substring(equals + 1)) != null) {
                throw new IllegalArgumentException("'" + part + "' is not KEY=VALUE, or its key is there twice");
            }
        }
        return settings(peer(values), ours);
    }

    /** From the values of its keys. */
    static Peer peer(Map<String, ?> values) {
        return read(() -> VALUES.convertValue(values, Peer.class));
    }

    /**
     * With the defaults of what is not there.
     *
     * @param ours our AS number
     * @throws IllegalArgumentException naming the key that is wrong
     */
    static PeerSettings settings(Peer peer, long ours) {
        if (peer.address() == null || peer.asn() == null) {
            throw new IllegalArgumentException("address and asn are needed");
        }
        IpAddress address = field("address", peer.address(), IpAddress::parse);
        boolean client = or(peer.client(), false);
        boolean external = peer.asn() != ours;
        if (external && client) {
            throw new IllegalArgumentException("client: a peer of another AS cannot be one, AS " + peer.asn());
        }
        PeerPolicy.Export export = peer.exportRules() == null
                ? new PeerPolicy.Export.Reflected()
                : new PeerPolicy.Export.Listed(field("exportRules", peer.exportRules(), PrefixList::parse));
        return new PeerSettings(
                or(peer.name(), address.toString()),
                address,
                or(peer.port(), BGP_PORT),
                peer.asn(),
                external ? Neighbor.Kind.EXTERNAL : client ? Neighbor.Kind.CLIENT : Neighbor.Kind.NON_CLIENT,
                or(peer.passive(), false),
                families(or(peer.families(), List.of("ipv4", "ipv6"))),
                or(peer.holdSeconds(), HOLD_SECONDS),
                or(peer.restartSeconds(), RESTART_SECONDS),
                or(peer.ttlSecurity(), false),
                secret(or(peer.passwordFile(), "")),
                or(peer.addPaths(), 1),
                or(peer.maxPrefixes(), MAX_PREFIXES),
                new PeerPolicy(
                        field("importRules", or(peer.importRules(), List.of()), PrefixList::parse),
                        export,
                        field(
                                "communities",
                                or(peer.communities(), List.<String>of()),
                                texts -> texts.stream().map(Community::parse).toList()),
                        field(
                                "largeCommunities",
                                or(peer.largeCommunities(), List.<String>of()),
                                texts -> texts.stream()
                                        .map(LargeCommunity::parse)
                                        .toList())));
    }

    private static Set<IpFamily> families(List<String> texts) {
        Set<IpFamily> families = EnumSet.noneOf(IpFamily.class);
        for (String text : texts) {
            families.add(
                    switch (text) {
                        case "ipv4" -> IpFamily.V4;
                        case "ipv6" -> IpFamily.V6;
                        default -> throw new IllegalArgumentException("families: ipv4 or ipv6, got '" + text + "'");
                    });
        }
        return families;
    }

    private static Secret secret(String file) {
        if (file.isEmpty()) {
            return Secret.NONE;
        }
        try {
            Secret secret = new Secret(Files.readString(Path.of(file)).strip());
            if (!secret.isPresent()) {
                throw new IllegalArgumentException("passwordFile: " + file + " is empty");
            }
            return secret;
        } catch (IOException e) {
            throw new IllegalArgumentException("passwordFile: " + file + " cannot be read: " + e, e);
        }
    }

    private static <T> T or(T value, T otherwise) {
        return value == null ? otherwise : value;
    }

    private static <F, T> T field(String key, F value, java.util.function.Function<F, T> parser) {
        try {
            return parser.apply(value);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(key + ": " + e.getMessage(), e);
        }
    }

    /** What Jackson does. */
    @FunctionalInterface
    private interface Reading<T> {
        T read() throws IOException;
    }

    private static <T> T read(Reading<T> reading) {
        try {
            return reading.read();
        } catch (JsonMappingException e) {
            throw new IllegalArgumentException(e.getPathReference() + ": " + e.getOriginalMessage(), e);
        } catch (JacksonException e) {
            throw new IllegalArgumentException(e.getOriginalMessage(), e);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    e.getMessage().lines().findFirst().orElse(""), e);
        } catch (IOException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
    }
}
