package io.podwire.node.journal;

import com.fasterxml.jackson.annotation.JsonAlias;
import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.plan.AddressSet;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.EndpointPolicy;
import io.podwire.node.plan.ExpectedPod;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.NodeProgramDelta;
import io.podwire.node.plan.PodName;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Supplier;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;
import org.h2.mvstore.MVStoreException;

/**
 * What node-shim must know after a kill: who it is, its blocks, its attachments, the addresses that
 * cool down, and the program it enforces. One MVStore file with JSON values.
 *
 * <p>Each change is written to the file before the method returns, without fsync: that survives the
 * process, not the machine. A machine that loses power has lost its pods as well, and its next boot
 * has another boot id, under which every attachment here is void.
 *
 * <p>Safe for several threads.
 */
public final class Journal implements AutoCloseable {
    /** Format of the entries, 1 up to release 0.1: a newer release reads an older format, never the other way round. */
    static final int FORMAT = 2;

    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
            .build();

    private final Path file;
    private final MVStore store;
    private final MVMap<String, String> meta;
    private final MVMap<String, String> attachments;
    private final MVMap<String, String> blocks;
    private final MVMap<Long, String> cooling;
    private final MVMap<String, String> programEndpoints;
    private final MVMap<String, String> programSets;
    private final MVMap<String, String> programExpected;
    /** Addresses in the map of cooling ones, with their keys there: a DEL writes what changed alone. */
    private final Map<IpAddress, Long> written = new LinkedHashMap<>();

    private long nextCooling;

    /**
     * Opens or creates a journal.
     *
     * @throws JournalException when the file is damaged, or another process holds it
     */
    public static Journal open(Path file) {
        try {
            return new Journal(
                    file,
                    new MVStore.Builder()
                            .fileName(file.toString())
                            .autoCommitDisabled()
                            .cacheSize(4)
                            .open());
        } catch (MVStoreException | IllegalArgumentException e) {
            throw new JournalException(
                    "cannot open the journal " + file + ": " + e.getMessage()
                            + ". Is another node-shim running on this --state-dir? If the file is damaged, stop"
                            + " node-shim, move the file away and start again: running pods keep their network,"
                            + " and node-shim will not know them",
                    e);
        }
    }

    private Journal(Path file, MVStore store) {
        this.file = file;
        this.store = store;
        // Several small changes a second: let MVStore reuse old chunks at once, there is no other reader.
        store.setRetentionTime(0);
        store.setVersionsToKeep(0);
        this.meta = store.openMap("meta");
        this.attachments = store.openMap("attachments");
        this.blocks = store.openMap("blocks");
        this.cooling = store.openMap("cooling");
        this.programEndpoints = store.openMap("program.endpoints");
        this.programSets = store.openMap("program.sets");
        this.programExpected = store.openMap("program.expected");
    }

    /** Where it is. */
    public Path file() {
        return file;
    }

    /**
     * Begins a life of node-shim: makes the node's uid on the first call, counts starts, and voids
     * everything that belonged to another boot.
     *
     * @param bootId /proc/sys/kernel/random/boot_id
     * @return who this node is now
     */
    public synchronized Life begin(String bootId) {
        return intact(() -> beginLife(bootId));
    }

    private Life beginLife(String bootId) {
        int format = Integer.parseInt(meta.getOrDefault("format", "1"));
        if (format > FORMAT) {
            throw new JournalException("the journal " + file + " has format " + format + ", this release reads 1 to "
                    + FORMAT + ": start the release that wrote it, or a newer one");
        }
        String uid = meta.computeIfAbsent("node-uid", _ -> UUID.randomUUID().toString());
        long counter = Long.parseLong(meta.getOrDefault("counter", "0")) + 1;
        boolean sameBoot = bootId.equals(meta.get("boot-id"));
        if (!sameBoot) {
            attachments.clear();
            cooling.clear();
            clearProgram();
        }
        cooling.forEach((order, address) -> {
            written.put(IpAddress.parse(address), order);
            nextCooling = order + 1;
        });
        meta.put("counter", Long.toString(counter));
        meta.put("boot-id", bootId);
        meta.put("format", Integer.toString(FORMAT));
        store.commit();
        return new Life(uid, counter, sameBoot);
    }

    /**
     * Who a node is after a start.
     *
     * @param nodeUid identity of this installation
     * @param counter starts on this installation, from 1
     * @param sameBoot true when the journal's attachments belong to this boot
     */
    public record Life(String nodeUid, long counter, boolean sameBoot) {}

    /** All attachments, in key order. */
    public List<Attachment> attachments() {
        return intact(() -> {
            List<Attachment> all = new ArrayList<>();
            attachments.forEach(
                    (_, json) -> all.add(read(json, AttachmentRow.class).toAttachment()));
            return all;
        });
    }

    /** Writes an attachment, new or changed. */
    public synchronized void put(Attachment attachment) {
        attachments.put(attachment.key().toString(), write(AttachmentRow.of(attachment)));
        store.commit();
    }

    /**
     * Removes an attachment and notes that its addresses cool down, as one change.
     *
     * @param coolingNow every address that cools down now, longest first
     */
    public synchronized void remove(EndpointKey key, List<IpAddress> coolingNow) {
        attachments.remove(key.toString());
        Set<IpAddress> now = new LinkedHashSet<>(coolingNow);
        written.entrySet().removeIf(entry -> {
            boolean over = !now.contains(entry.getKey());
            if (over) {
                cooling.remove(entry.getValue());
            }
            return over;
        });
        long last = -1;
        for (IpAddress address : now) {
            long order = written.getOrDefault(address, -1L);
            // Before the one in front of it: it was taken and released again since it was written.
            if (order <= last) {
                if (order >= 0) {
                    cooling.remove(order);
                }
                order = nextCooling++;
                written.put(address, order);
                cooling.put(order, address.toString());
            }
            last = order;
        }
        store.commit();
    }

    /** Addresses that cooled down when last written, longest first. */
    public List<IpAddress> cooling() {
        return intact(() -> cooling.values().stream().map(IpAddress::parse).toList());
    }

    /** Blocks this node owns, with their pools. */
    public Map<IpPrefix, String> blocks() {
        return intact(() -> {
            Map<IpPrefix, String> all = new TreeMap<>();
            blocks.forEach((cidr, pool) -> all.put(IpPrefix.parse(cidr), pool));
            return all;
        });
    }

    /** Notes a block that this node owns. */
    public synchronized void putBlock(IpPrefix block, String pool) {
        blocks.put(block.toString(), pool);
        store.commit();
    }

    /** Notes that a block is not this node's any more. */
    public synchronized void removeBlock(IpPrefix block) {
        blocks.remove(block.toString());
        store.commit();
    }

    /** A small fact of the node, such as the address of its VXLAN device. */
    public Optional<String> fact(String name) {
        return intact(() -> Optional.ofNullable(meta.get("fact." + name)));
    }

    /** Notes a small fact of the node. */
    public synchronized void putFact(String name, String value) {
        meta.put("fact." + name, value);
        store.commit();
    }

    /** The program enforced last; empty when none was. */
    public synchronized Optional<NodeProgram> program() {
        return intact(this::readProgram);
    }

    private Optional<NodeProgram> readProgram() {
        String revision = meta.get("program.revision");
        if (revision == null) {
            return Optional.empty();
        }
        TreeMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        programEndpoints.forEach((key, json) -> endpoints.put(key(key), read(json, EndpointPolicy.class)));
        TreeMap<String, AddressSet> sets = new TreeMap<>();
        programSets.forEach((id, json) -> sets.put(id, read(json, SetRow.class).toSet()));
        TreeMap<PodName, ExpectedPod> expected = new TreeMap<>();
        programExpected.values().forEach(json -> {
            ExpectedPod pod = read(json, ExpectedPod.class);
            expected.put(pod.pod(), pod);
        });
        return Optional.of(new NodeProgram(Long.parseLong(revision), endpoints, sets, expected));
    }

    /** Writes a whole program. */
    public synchronized void putProgram(NodeProgram program) {
        clearProgram();
        program.endpoints().forEach((key, policy) -> programEndpoints.put(key.toString(), write(policy)));
        program.addressSets().forEach((id, set) -> programSets.put(id, write(SetRow.of(set))));
        program.expected().forEach((pod, policy) -> programExpected.put(pod.toString(), write(policy)));
        meta.put("program.revision", Long.toString(program.revision()));
        store.commit();
    }

    /** Writes what a delta changed. */
    public synchronized void putProgram(NodeProgram after, NodeProgramDelta delta) {
        delta.endpoints().forEach((key, policy) -> programEndpoints.put(key.toString(), write(policy)));
        delta.removedEndpoints().forEach(key -> programEndpoints.remove(key.toString()));
        delta.changedSets()
                .forEach((id, _) ->
                        programSets.put(id, write(SetRow.of(after.addressSets().get(id)))));
        delta.removedSets().forEach(programSets::remove);
        delta.expected().forEach((pod, policy) -> programExpected.put(pod.toString(), write(policy)));
        delta.removedExpected().forEach(pod -> programExpected.remove(pod.toString()));
        meta.put("program.revision", Long.toString(after.revision()));
        store.commit();
    }

    private void clearProgram() {
        programEndpoints.clear();
        programSets.clear();
        programExpected.clear();
        meta.remove("program.revision");
    }

    @Override
    public void close() {
        store.close();
    }

    private static EndpointKey key(String text) {
        int slash = text.lastIndexOf('/');
        return new EndpointKey(text.substring(0, slash), text.substring(slash + 1));
    }

    private static String write(Object row) {
        try {
            return JSON.writeValueAsString(row);
        } catch (JsonProcessingException e) {
            throw new AssertionError("a record of plain fields is always JSON", e);
        }
    }

    /** MVStore reads pages when they are asked for, so damage may show as any exception, at any read. */
    private <T> T intact(Supplier<T> reading) {
        try {
            return reading.get();
        } catch (JournalException e) {
            throw e;
        } catch (RuntimeException e) {
            throw new JournalException(
                    "damaged page in the journal " + file + ": " + e.getMessage()
                            + ". Stop node-shim, move the file away and start again: running pods keep their network,"
                            + " and node-shim will not know them",
                    e);
        }
    }

    private <T> T read(String json, Class<T> type) {
        try {
            return JSON.readValue(json, type);
        } catch (JsonProcessingException e) {
            throw new JournalException("damaged entry in the journal " + file + ": " + e.getOriginalMessage(), e);
        }
    }

    /** How an attachment stands in the file. Format 1 had one "address", which reads as a list of one. */
    record AttachmentRow(
            String containerId,
            String ifname,
            String network,
            String podNamespace,
            String podName,
            String podUid,
            boolean declared,
            String netnsPath,
            long netnsInode,
            String hostIfname,
            String mac,

            @JsonAlias("address") @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY)
            List<String> addresses,

            int mtu,
            Attachment.State state,
            long policyRevision,
            long sinceMs) {
        static AttachmentRow of(Attachment a) {
            return new AttachmentRow(
                    a.key().containerId(),
                    a.key().ifname(),
                    a.network(),
                    a.pod().namespace(),
                    a.pod().name(),
                    a.pod().uid(),
                    a.pod().declared(),
                    a.netnsPath(),
                    a.netnsInode(),
                    a.hostIfname(),
                    a.mac().toString(),
                    a.addresses().stream().map(IpAddress::toString).toList(),
                    a.mtu(),
                    a.state(),
                    a.policyRevision(),
                    a.since().toEpochMilli());
        }

        Attachment toAttachment() {
            return new Attachment(
                    new EndpointKey(containerId, ifname),
                    network,
                    new Attachment.PodIdentity(podNamespace, podName, podUid, declared),
                    netnsPath,
                    netnsInode,
                    hostIfname,
                    MacAddress.parse(mac),
                    PodAddresses.parse(addresses),
                    mtu,
                    state,
                    policyRevision,
                    Instant.ofEpochMilli(sinceMs));
        }
    }

    /** How an address set stands in the file. */
    record SetRow(String id, String description, List<String> members) {
        static SetRow of(AddressSet set) {
            return new SetRow(
                    set.id(),
                    set.description(),
                    set.members().stream().map(IpPrefix::toString).toList());
        }

        AddressSet toSet() {
            return new AddressSet(
                    id, description, members.stream().map(IpPrefix::parse).toList());
        }
    }
}
