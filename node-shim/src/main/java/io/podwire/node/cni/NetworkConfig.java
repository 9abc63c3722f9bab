package io.podwire.node.cni;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.util.JsonRecyclerPools;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.node.cni.CniException.Code;
import io.podwire.node.cni.request.PodRequestReader;
import io.podwire.node.cni.request.RequestArgs;
import io.podwire.node.cni.request.RequestException;
import io.podwire.node.cni.request.StartBarrierReader;
import io.podwire.node.cni.request.WiringModeReader;
import io.podwire.node.plan.PodRequest;
import io.podwire.node.plan.StartBarrier;
import io.podwire.node.plan.WiringMode;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A network configuration as a runtime sends it on stdin (CNI 1.1, "Execution configuration"), and what it asks for.
 * Keys that Podwire does not know are tolerated. Does not change; safe for several threads.
 */
public final class NetworkConfig {
    static final int MAX_DEPTH = 32;
    static final int MAX_BYTES = 1 << 20;
    private static final Pattern NAME = Pattern.compile("[a-zA-Z0-9][a-zA-Z0-9_.\\-]*");

    /** So many threads' buffers of 10 KiB are kept, not those of each thread that ever read or wrote. */
    private static final int BUFFERS = 2;

    /** Writes and reads CNI's JSON: duplicate keys, trailing text and deep nesting are errors. */
    static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .recyclerPool(JsonRecyclerPools.newBoundedPool(BUFFERS))
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(MAX_DEPTH)
                            .maxDocumentLength(MAX_BYTES)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final CniVersion version;
    private final String name;
    private final Optional<ObjectNode> prevResult;
    private final Optional<ObjectNode> dns;
    private final ObjectNode raw;
    /** What was asked for last: the same configuration comes with most pods. */
    private volatile Optional<Asked> asked = Optional.empty();

    private record Asked(RequestArgs args, PodRequest request) {}

    private NetworkConfig(
            CniVersion version,
            String name,
            Optional<ObjectNode> prevResult,
            Optional<ObjectNode> dns,
            ObjectNode raw) {
        this.version = version;
        this.name = name;
        this.prevResult = prevResult;
        this.dns = dns;
        this.raw = raw;
    }

    /**
     * Reads and checks a configuration.
     *
     * @throws CniException code 6 when it is not JSON, 1 on a version that is not spoken, 7 when it
     *     is wrong
     */
    public static NetworkConfig parse(byte[] stdin) throws CniException {
        JsonNode root;
        try {
            root = JSON.readTree(stdin);
        } catch (JsonProcessingException e) {
            throw new CniException(
                    Code.DECODE, "the network configuration on stdin is not JSON", e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new CniException(Code.DECODE, "the network configuration on stdin is not JSON", e.toString(), e);
        }
        if (!(root instanceof ObjectNode config)) {
            throw new CniException(
                    Code.DECODE,
                    "the network configuration on stdin is not a JSON object",
                    "got " + (root == null ? "nothing" : root.getNodeType()));
        }
        CniVersion version = version(config);
        JsonNode name = config.get("name");
        if (name == null || !name.isTextual() || !NAME.matcher(name.textValue()).matches()) {
            throw new CniException(
                    Code.INVALID_CONFIG,
                    "invalid network name",
                    "\"name\" must match " + NAME.pattern() + ", got " + (name == null ? "none" : name));
        }
        Optional<ObjectNode> prevResult = object(config, "prevResult");
        if (prevResult.isPresent()) {
            checkLists(prevResult.get());
        }
        return new NetworkConfig(version, name.textValue(), prevResult, object(config, "dns"), config);
    }

    /** cniVersion; 0.1.0 when the key is missing. */
    public CniVersion version() {
        return version;
    }

    /** The network's name. */
    public String name() {
        return name;
    }

    /** Result of the chain so far, or of the ADD; not to be changed. */
    public Optional<ObjectNode> prevResult() {
        return prevResult;
    }

    /** The key {@code dns}; not to be changed. */
    public Optional<ObjectNode> dns() {
        return dns;
    }

    /** The whole configuration; not to be changed. */
    public ObjectNode raw() {
        return raw;
    }

    /**
     * What is asked for beyond an interface with any address.
     *
     * @throws CniException code 4, 7 or 2, naming the first thing in CNI_ARGS or the configuration that is wrong, or
     *     that Podwire does not do
     */
    public PodRequest request(RequestArgs args) throws CniException {
        Optional<Asked> last = asked;
        if (last.isPresent() && last.get().args().equals(args)) {
            return last.get().request();
        }
        PodRequest request = reading(() -> PodRequestReader.read(raw, args));
        asked = Optional.of(new Asked(args, request));
        return request;
    }

    /**
     * The mode that it asks for.
     *
     * @throws CniException code 7, or 2 for what Podwire has no mode for, naming the key and what is allowed
     */
    WiringMode mode() throws CniException {
        return reading(() -> WiringModeReader.read(raw));
    }

    /**
     * Who must know the pod before the ADD is answered.
     *
     * @param usual where nothing is said
     * @throws CniException code 7, naming the key or the annotation and what is allowed
     */
    StartBarrier startBarrier(StartBarrier usual) throws CniException {
        return reading(() -> StartBarrierReader.read(raw, usual));
    }

    private interface Reading<T> {
        T read() throws RequestException;
    }

    private static <T> T reading(Reading<T> reading) throws CniException {
        try {
            return reading.read();
        } catch (RequestException e) {
            Code code = switch (e.kind()) {
                case ENVIRONMENT -> Code.INVALID_ENVIRONMENT;
                case INVALID -> Code.INVALID_CONFIG;
                case UNSUPPORTED -> Code.UNSUPPORTED_FIELD;
            };
            throw new CniException(code, String.valueOf(e.getMessage()), e.details(), e);
        }
    }

    private static CniVersion version(ObjectNode config) throws CniException {
        JsonNode version = config.get("cniVersion");
        if (version == null || (version.isTextual() && version.textValue().isEmpty())) {
            return CniVersion.V0_1_0;
        }
        if (!version.isTextual()) {
            throw new CniException(
                    Code.INVALID_CONFIG, "invalid cniVersion", "\"cniVersion\" must be a string, got " + version);
        }
        return CniVersion.of(version.textValue())
                .orElseThrow(() -> new CniException(
                        Code.INCOMPATIBLE_VERSION,
                        "incompatible CNI versions",
                        "the configuration has cniVersion \"" + version.textValue() + "\", Podwire speaks "
                                + CniVersion.all()));
    }

    /** These are added to after all is done: what is wrong with them must be known before. */
    private static void checkLists(ObjectNode prevResult) throws CniException {
        for (String key : List.of("interfaces", "ips", "routes")) {
            JsonNode list = prevResult.path(key);
            if (list.isNull()) {
                prevResult.remove(key);
            } else if (!list.isMissingNode() && !list.isArray()) {
                throw new CniException(
                        Code.INVALID_CONFIG,
                        "invalid prevResult",
                        "\"" + key + "\" must be a list, got " + list.getNodeType());
            }
        }
    }

    private static Optional<ObjectNode> object(ObjectNode config, String key) throws CniException {
        JsonNode value = config.get(key);
        if (value == null || value.isNull()) {
            return Optional.empty();
        }
        if (value instanceof ObjectNode object) {
            return Optional.of(object);
        }
        throw new CniException(
                Code.INVALID_CONFIG, "invalid " + key, "\"" + key + "\" must be an object, got " + value.getNodeType());
    }
}
