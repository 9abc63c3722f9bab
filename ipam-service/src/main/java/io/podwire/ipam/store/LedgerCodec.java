package io.podwire.ipam.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;

/**
 * Keys and values of the ledger, kept stable. A value is one JSON object; {@code "v":1} is its
 * format, and a reader refuses a format it does not know.
 *
 * <pre>
 * catalog                       {"v":1}   rewritten when a pool is created, see LedgerSnapshot
 * pools/NAME                    {"v":1,"name":"default","cidr":"10.1.0.0/16","blockLength":26}
 * nodes/NODE/UID                {"v":1,"node":"n1","uid":"8c...","bootId":"2f...","counter":3}
 * blocks/POOL/ADDRESS-LENGTH    {"v":1,"pool":"default","cidr":"10.1.0.64/26","owner":{...},"requestId":"..."}
 * requests/REQUEST-ID           {"v":1,"block":"blocks/default/10.1.0.64-26"}   of the claim that took that block
 * </pre>
 */
final class LedgerCodec {
    static final String CATALOG = "catalog";
    static final String POOLS = "pools/";
    static final String NODES = "nodes/";
    static final String BLOCKS = "blocks/";
    static final String REQUESTS = "requests/";

    private static final int FORMAT = 1;
    private static final ObjectMapper JSON = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private LedgerCodec() {}

    static String key(Pool pool) {
        return POOLS + pool.name();
    }

    static String key(NodeEpoch epoch) {
        return NODES + epoch.node() + "/" + epoch.uid();
    }

    static String key(Block block) {
        return BLOCKS + block.pool() + "/" + block.cidr().toString().replace('/', '-');
    }

    static String requestKey(Block block) {
        return REQUESTS + block.requestId();
    }

    static String encodeRequest(Block block) {
        return value().put("block", key(block)).toString();
    }

    static String catalog() {
        return value().toString();
    }

    static String encode(Pool pool) {
        return value().put("name", pool.name())
                .put("cidr", pool.cidr().toString())
                .put("blockLength", pool.blockLength())
                .toString();
    }

    static String encode(NodeEpoch epoch) {
        return putEpoch(value(), epoch).toString();
    }

    static String encode(Block block) {
        ObjectNode value =
                value().put("pool", block.pool()).put("cidr", block.cidr().toString());
        putEpoch(value.putObject("owner"), block.owner());
        return value.put("requestId", block.requestId()).toString();
    }

    static Pool pool(Entry entry) {
        return decode(
                entry,
                json -> new Pool(
                        text(json, "name"),
                        IpPrefix.parse(text(json, "cidr")),
                        required(json, "blockLength").asInt()));
    }

    static NodeEpoch node(Entry entry) {
        return decode(entry, LedgerCodec::epoch);
    }

    static Block block(Entry entry) {
        return decode(
                entry,
                json -> new Block(
                        text(json, "pool"),
                        IpPrefix.parse(text(json, "cidr")),
                        epoch(required(json, "owner")),
                        text(json, "requestId")));
    }

    private static ObjectNode value() {
        return JSON.createObjectNode().put("v", FORMAT);
    }

    private static ObjectNode putEpoch(ObjectNode json, NodeEpoch epoch) {
        return json.put("node", epoch.node().value())
                .put("uid", epoch.uid())
                .put("bootId", epoch.bootId())
                .put("counter", epoch.counter());
    }

    private static NodeEpoch epoch(JsonNode json) {
        return new NodeEpoch(
                new NodeName(text(json, "node")),
                text(json, "uid"),
                text(json, "bootId"),
                required(json, "counter").asLong());
    }

    private interface Reader<T> {
        T read(JsonNode json);
    }

    private static <T> T decode(Entry entry, Reader<T> reader) {
        try {
            JsonNode json = JSON.readTree(entry.value());
            int format = required(json, "v").asInt();
            if (format != FORMAT) {
                throw new IllegalArgumentException("format " + format + " is not known to this release");
            }
            return reader.read(json);
        } catch (JsonProcessingException | IllegalArgumentException e) {
            throw new ServiceException(
                    ErrorReason.INTERNAL,
                    "the stored value of " + entry.key() + " cannot be read (" + e.getMessage()
                            + "): nothing is decided until it is repaired",
                    e);
        }
    }

    private static String text(JsonNode json, String field) {
        return required(json, field).asText();
    }

    private static JsonNode required(JsonNode json, String field) {
        JsonNode value = json.get(field);
        if (value == null || value.isNull()) {
            throw new IllegalArgumentException("field '" + field + "' is missing");
        }
        return value;
    }
}
