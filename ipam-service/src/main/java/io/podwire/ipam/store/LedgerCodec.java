package io.podwire.ipam.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.CoolDown;
import io.podwire.ipam.core.DrainPace;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NamespaceSelector;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.NodeSelector;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.PoolSource;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.core.Workload;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Keys and values of the ledger, kept stable. A value is one JSON object; {@code "v":1} is its
 * format, and a reader refuses a format it does not know.
 *
 * <pre>
 * catalog                       {"v":1}   rewritten when a pool is created or changed, see LedgerSnapshot
 * pools/NAME                    {"v":1,"name":"default","cidr":"10.1.0.0/16","blockLength":26}
 *                               {"v":2,... "state":"DRAINING","reserved":["10.1.0.0/28"],"nodes":{"zone":"a"},
 *                               "drainingFrom":7}
 *                               {"v":3,... "namespaces":{"team":"a"},"purpose":"STATIC","coolDown":"PT10M",
 *                               "source":"manifest:pools.yaml"}
 * nodes/NODE/UID                {"v":1,"node":"n1","uid":"8c...","bootId":"2f...","counter":3}
 * blocks/POOL/ADDRESS-LENGTH    {"v":1,"pool":"default","cidr":"10.1.0.64/26","owner":{...},"requestId":"..."}
 * requests/REQUEST-ID           {"v":1,"block":"blocks/default/10.1.0.64-26"}   of the claim that took that block
 * addresses/ADDRESS             {"v":1,"pool":"default","address":"10.1.2.3","use":"IN_USE","since":1700000000000,
 *                                "owner":{"id":"vm-7","node":"","namespace":"","pod":""},
 *                                "reservedFor":{"namespace":"db","name":"pg","ordinal":0}}
 * owners/0 to owners/255        {"v":1}   rewritten when an owner whose id has that hash gets addresses
 * reservations                  {"v":1}   rewritten when addresses are reserved
 * drains/NAME                   {"v":1}   rewritten by the replica that evicts pods of that pool next
 * </pre>
 *
 * A pool that is active, has no reserved range and is for every node has format 1, which the first release
 * reads; any other has format 2, which makes that release stop instead of giving its blocks away. One that has a
 * namespace selector, another purpose than pods, a cool-down, or is declared elsewhere than by a call has format
 * 3, for the same reason; coolDown is missing there where it is the node's own. drainingFrom and drainPace, missing for
 * 0, need no format: who does not know them loses no more than the number, and evicts nobody.
 */
final class LedgerCodec {
    static final String CATALOG = "catalog";
    static final String POOLS = "pools/";
    static final String NODES = "nodes/";
    static final String BLOCKS = "blocks/";
    static final String REQUESTS = "requests/";
    static final String ADDRESSES = "addresses/";
    static final String OWNERS = "owners/";
    static final String RESERVATIONS = "reservations";
    static final String DRAINS = "drains/";
    private static final int OWNER_KEYS = 256;

    private static final int FORMAT = 1;
    private static final int SELECTIVE_POOL_FORMAT = 2;
    private static final int FULL_POOL_FORMAT = 3;
    private static final ObjectMapper JSON = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
    private static final String NOTHING_BUT_FORMAT = value().toString();

    private LedgerCodec() {}

    static String key(Pool pool) {
        return POOLS + pool.name();
    }

    static String key(NodeEpoch epoch) {
        return NODES + Ledger.installation(epoch);
    }

    static String key(Block block) {
        return BLOCKS + block.pool() + "/" + block.cidr().toString().replace('/', '-');
    }

    static String key(SingleAddress address) {
        return ADDRESSES + address.address();
    }

    /** Many owners share a key: it is there to be compared, and grows no store by owners that are gone. */
    static String ownerKey(String ownerId) {
        return OWNERS + Math.floorMod(ownerId.hashCode(), OWNER_KEYS);
    }

    static String requestKey(Block block) {
        return REQUESTS + block.requestId();
    }

    static String encodeRequest(Block block) {
        return value().put("block", key(block)).toString();
    }

    /** The value of keys that are there to be compared. */
    static String catalog() {
        return NOTHING_BUT_FORMAT;
    }

    static String encode(Pool pool) {
        ObjectNode json = value().put("name", pool.name())
                .put("cidr", pool.cidr().toString())
                .put("blockLength", pool.blockLength());
        if (pool.equals(new Pool(pool.name(), pool.cidr(), pool.blockLength()))) {
            return json.toString();
        }
        json.put("v", SELECTIVE_POOL_FORMAT).put("state", pool.state().name());
        ArrayNode reserved = json.putArray("reserved");
        pool.reserved().forEach(range -> reserved.add(range.toString()));
        ObjectNode nodes = json.putObject("nodes");
        pool.nodes().labels().forEach(nodes::put);
        if (pool.drainingFrom() > 0) {
            json.put("drainingFrom", pool.drainingFrom());
        }
        if (pool.drainPace().evicts()) {
            json.put("drainPace", pool.drainPace().perMinute());
        }
        if (needsFullFormat(pool)) {
            putRest(json.put("v", FULL_POOL_FORMAT), pool);
        }
        return json.toString();
    }

    private static boolean needsFullFormat(Pool pool) {
        return !(pool.namespaces().equals(NamespaceSelector.EVERY_NAMESPACE)
                && pool.purpose() == PoolPurpose.PODS
                && pool.coolDown().equals(CoolDown.OF_NODE)
                && pool.source().equals(PoolSource.GRPC));
    }

    private static void putRest(ObjectNode json, Pool pool) {
        ObjectNode namespaces = json.putObject("namespaces");
        pool.namespaces().labels().forEach(namespaces::put);
        json.put("purpose", pool.purpose().name());
        switch (pool.coolDown()) {
            case CoolDown.OfNode _ -> {}
            case CoolDown.Of(Duration length) -> json.put("coolDown", length.toString());
        }
        json.put("source", pool.source().toString());
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

    static String text(Value value) {
        return switch (value) {
            case Value.OfPool(Pool pool) -> encode(pool);
            case Value.OfNode(NodeEpoch node) -> encode(node);
            case Value.OfBlock(Block block) -> encode(block);
            case Value.OfAddress(SingleAddress address) -> encode(address);
            case Value.Text(String text) -> text;
        };
    }

    /** The ledger with what a key's value tells, which is what an entry of its text does. */
    static Ledger with(Ledger ledger, String key, Value value) {
        return switch (value) {
            case Value.OfPool(Pool pool) -> ledger.with(pool);
            case Value.OfNode(NodeEpoch node) -> ledger.with(node);
            case Value.OfBlock(Block block) -> ledger.with(block);
            case Value.OfAddress(SingleAddress address) -> ledger.with(address);
            case Value.Text(String text) -> with(ledger, new Entry(key, Change.ABSENT, text));
        };
    }

    /** The ledger with what an entry tells; it tells nothing where its key is not known. */
    static Ledger with(Ledger ledger, Entry entry) {
        String key = entry.key();
        if (key.startsWith(POOLS)) {
            return ledger.with(pool(entry));
        }
        if (key.startsWith(BLOCKS)) {
            return ledger.with(block(entry));
        }
        if (key.startsWith(ADDRESSES)) {
            return ledger.with(address(entry));
        }
        return key.startsWith(NODES) ? ledger.with(node(entry)) : ledger;
    }

    /** The ledger without what the entry of a key told. */
    static Ledger without(Ledger ledger, String key) {
        if (key.startsWith(POOLS)) {
            return ledger.withoutPool(key.substring(POOLS.length()));
        }
        if (key.startsWith(BLOCKS)) {
            int slash = key.indexOf('/', BLOCKS.length());
            return ledger.withoutBlock(
                    key.substring(BLOCKS.length(), slash),
                    IpPrefix.parse(key.substring(slash + 1).replace('-', '/')));
        }
        if (key.startsWith(ADDRESSES)) {
            return ledger.withoutAddress(IpAddress.parse(key.substring(ADDRESSES.length())));
        }
        return key.startsWith(NODES) ? ledger.withoutNode(key.substring(NODES.length())) : ledger;
    }

    static Pool pool(Entry entry) {
        return decode(entry, FULL_POOL_FORMAT, json -> {
            String name = text(json, "name");
            IpPrefix cidr = IpPrefix.parse(text(json, "cidr"));
            int blockLength = required(json, "blockLength").asInt();
            if (format(json) == FORMAT) {
                return new Pool(name, cidr, blockLength);
            }
            List<IpPrefix> reserved = new ArrayList<>();
            required(json, "reserved").forEach(range -> reserved.add(IpPrefix.parse(range.asText())));
            boolean full = format(json) == FULL_POOL_FORMAT;
            return new Pool(
                    name,
                    cidr,
                    blockLength,
                    PoolState.valueOf(text(json, "state")),
                    reserved,
                    NodeSelector.of(labels(json, "nodes")),
                    full ? NamespaceSelector.of(labels(json, "namespaces")) : NamespaceSelector.EVERY_NAMESPACE,
                    full ? PoolPurpose.valueOf(text(json, "purpose")) : PoolPurpose.PODS,
                    json.has("coolDown") ? new CoolDown.Of(Duration.parse(text(json, "coolDown"))) : CoolDown.OF_NODE,
                    full ? PoolSource.parse(text(json, "source")) : PoolSource.GRPC,
                    json.path("drainingFrom").asInt(),
                    new DrainPace(json.path("drainPace").asInt()));
        });
    }

    private static Map<String, String> labels(JsonNode json, String field) {
        Map<String, String> labels = new TreeMap<>();
        required(json, field).forEachEntry((key, value) -> labels.put(key, value.asText()));
        return labels;
    }

    static NodeEpoch node(Entry entry) {
        return decode(entry, FORMAT, LedgerCodec::epoch);
    }

    static Block block(Entry entry) {
        return decode(
                entry,
                FORMAT,
                json -> new Block(
                        text(json, "pool"),
                        IpPrefix.parse(text(json, "cidr")),
                        epoch(required(json, "owner")),
                        text(json, "requestId")));
    }

    static String encode(SingleAddress address) {
        ObjectNode json = value().put("pool", address.pool())
                .put("address", address.address().toString())
                .put("since", address.since().toEpochMilli());
        switch (address.use()) {
            case AddressUse.InUse(AddressOwner owner, Optional<Workload> _) ->
                json.put("use", "IN_USE")
                        .putObject("owner")
                        .put("id", owner.id())
                        .put("node", owner.node())
                        .put("namespace", owner.namespace())
                        .put("pod", owner.pod());
            case AddressUse.Cooling _ -> json.put("use", "COOLING");
            case AddressUse.Reserved _ -> json.put("use", "RESERVED");
        }
        address.use()
                .reserved()
                .ifPresent(workload -> json.putObject("reservedFor")
                        .put("namespace", workload.namespace())
                        .put("name", workload.name())
                        .put("ordinal", workload.ordinal()));
        return json.toString();
    }

    static SingleAddress address(Entry entry) {
        return decode(
                entry,
                FORMAT,
                json -> new SingleAddress(
                        text(json, "pool"),
                        IpAddress.parse(text(json, "address")),
                        use(json),
                        Instant.ofEpochMilli(required(json, "since").asLong())));
    }

    private static AddressUse use(JsonNode json) {
        String use = text(json, "use");
        return switch (use) {
            case "IN_USE" -> {
                JsonNode owner = required(json, "owner");
                yield new AddressUse.InUse(
                        new AddressOwner(
                                text(owner, "id"), text(owner, "node"), text(owner, "namespace"), text(owner, "pod")),
                        json.has("reservedFor") ? Optional.of(workload(json)) : Optional.empty());
            }
            case "COOLING" -> new AddressUse.Cooling();
            case "RESERVED" -> new AddressUse.Reserved(workload(json));
            default -> throw new IllegalArgumentException("use '" + use + "' is not known to this release");
        };
    }

    private static Workload workload(JsonNode json) {
        JsonNode workload = required(json, "reservedFor");
        return new Workload(
                text(workload, "namespace"),
                text(workload, "name"),
                required(workload, "ordinal").asInt());
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

    private static int format(JsonNode json) {
        return required(json, "v").asInt();
    }

    private static <T> T decode(Entry entry, int newestFormat, Reader<T> reader) {
        try {
            JsonNode json = JSON.readTree(entry.value());
            if (format(json) < FORMAT || format(json) > newestFormat) {
                throw new IllegalArgumentException("format " + format(json) + " is not known to this release");
            }
            return reader.read(json);
        } catch (JsonProcessingException | IllegalArgumentException | DateTimeParseException e) {
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
