package io.podwire.node.journal;

import com.fasterxml.jackson.annotation.JsonAlias;
import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonSetter;
import com.fasterxml.jackson.annotation.Nulls;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.JsonRecyclerPools;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.journal.JournalException.Reason;
import io.podwire.node.plan.AddressSet;
import io.podwire.node.plan.DirectionPolicy;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.EndpointPolicy;
import io.podwire.node.plan.ExpectedPod;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.NodeProgramDelta;
import io.podwire.node.plan.PodName;
import io.podwire.node.plan.PodRequest;
import io.podwire.node.plan.TierRule;
import io.podwire.node.plan.WiringMode;
import java.io.IOException;
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
import java.util.TreeSet;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.h2.mvstore.DataUtils;
import org.h2.mvstore.MVStoreException;

/**
 * What node-shim must know after a kill: who it is, its blocks, its attachments, the addresses that
 * cool down, those of ipam-service's own blocks, and the program it enforces. One MVStore file with JSON values, each with a checksum.
 *
 * <p>Each change is written to the file before the method returns, without fsync: that survives the
 * process, not the machine. A machine that loses power has lost its pods as well, and its next boot
 * has another boot id: what is attached then is found out by looking at the kernel.
 *
 * <p>While the file cannot be written, as on a full disk, a new attachment is refused and every other change
 * is kept in memory, and written once it can be. A process that is killed before that finds an older
 * state: attachments that are gone, which look abandoned and are treated so.
 *
 * <p>Safe for several threads.
 */
public final class Journal implements AutoCloseable {
    /** So many threads' buffers of 10 KiB are kept, not those of each thread that ever wrote. */
    private static final int BUFFERS = 2;

    private static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .recyclerPool(JsonRecyclerPools.newBoundedPool(BUFFERS))
                    .build())
            .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
            .addMixIn(DirectionPolicy.class, DirectionPolicyRow.class)
            .build();

    /** Directions without tiers are written as releases wrote them that knew none, and theirs are read. */
    private interface DirectionPolicyRow {
        @JsonInclude(JsonInclude.Include.NON_EMPTY)
        @JsonSetter(nulls = Nulls.AS_EMPTY)
        List<TierRule> tiers();
    }

    private static final String DAMAGED = ". See \"A damaged journal\" in docs/operating.md";
    private static final String USED = ". Is another node-shim running on this --state-dir?";

    private final Path path;
    private final JournalFile file;
    /** Addresses in the map of cooling ones, with their keys there: a DEL writes what changed alone. */
    private final Map<IpAddress, Long> written = new LinkedHashMap<>();

    private Optional<JournalFile.Maps> loaded = Optional.empty();
    private long nextCooling;
    /** What {@link #wholeProgram} writes. */
    private NodeProgram newest = NodeProgram.EMPTY;

    private final Consumer<JournalFile.Maps> wholeProgram = this::writeProgram;

    /**
     * Opens or creates a journal, and reads all of it once.
     *
     * @throws JournalException when the file is damaged, or another process holds it
     */
    public static Journal open(Path file) {
        try {
            return new Journal(file, JournalFile.open(file));
        } catch (MVStoreException e) {
            boolean used = e.getErrorCode() == DataUtils.ERROR_FILE_LOCKED;
            throw new JournalException(
                    used ? Reason.UNUSABLE : Reason.DAMAGED,
                    "cannot open the journal " + file + ": " + e.getMessage() + (used ? USED : DAMAGED),
                    e);
        } catch (NewerFormatException | IOException e) {
            throw new JournalException(Reason.UNUSABLE, "cannot open the journal " + file + ": " + e.getMessage(), e);
        } catch (IllegalStateException | IllegalArgumentException e) {
            throw new JournalException(
                    Reason.DAMAGED, "cannot open the journal " + file + ": " + e.getMessage() + DAMAGED, e);
        }
    }

    private Journal(Path path, JournalFile file) {
        this.path = path;
        this.file = file;
        loadCooling(file.maps());
    }

    /** Where it is. */
    public Path file() {
        return path;
    }

    /**
     * Begins a life of node-shim: makes the node's uid on the first call, and counts starts. In another
     * boot than the last one, the program is forgotten, and attachments are in no known namespace: an inode
     * number means nothing any more.
     *
     * @param bootId /proc/sys/kernel/random/boot_id
     * @param last who this node was at its last start, if a copy beside the journal tells
     * @return who this node is now
     */
    public synchronized Life begin(String bootId, Optional<Life> last) {
        return intact(() -> beginLife(bootId, last));
    }

    private Life beginLife(String bootId, Optional<Life> last) {
        JournalFile.Maps now = file.maps();
        String uid = now.meta()
                .get("node-uid")
                .or(() -> last.map(Life::nodeUid))
                .orElseGet(() -> UUID.randomUUID().toString());
        long counted = Long.parseLong(now.meta().get("counter").orElse("0"));
        long counter = Math.max(
                        counted,
                        last.filter(life -> life.nodeUid().equals(uid))
                                .map(Life::counter)
                                .orElse(0L))
                + 1;
        boolean sameBoot = now.meta().get("boot-id").equals(Optional.of(bootId));
        List<Attachment> old = sameBoot
                ? List.of()
                : attachments().stream().map(Attachment::ofAnotherBoot).toList();
        file.change(maps -> {
            old.forEach(a -> maps.attachments().put(a.key().toString(), write(AttachmentRow.of(a))));
            if (!sameBoot) {
                clearProgram(maps);
            }
            maps.meta().put("node-uid", uid);
            maps.meta().put("counter", Long.toString(counter));
            maps.meta().put("boot-id", bootId);
        });
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

    /**
     * Makes sure that an attachment can be written, before anything is done for it.
     *
     * @throws JournalException naming the file, what is wrong and what is kept meanwhile
     */
    public synchronized void checkWritable() {
        Optional<String> why = problem();
        if (why.isPresent() && !(file.hasRoom() && file.catchUp())) {
            throw new JournalException(Reason.UNWRITABLE, why.get());
        }
    }

    /** Writes what is kept in memory, if it can be written now. */
    public synchronized void catchUp() {
        if (file.hasRoom()) {
            var _ = file.catchUp();
        }
    }

    /** Why no attachment can be written now, one sentence; empty when one can. */
    public Optional<String> problem() {
        return file.problem()
                .map(why -> "the journal " + path + " cannot be written (" + why + "): no pod is attached until it"
                        + " can, and what changes is kept in memory")
                .or(() -> file.hasRoom()
                        ? Optional.empty()
                        : Optional.of("the disk of the journal " + path + " is full, " + file.usableBytes()
                                + " bytes are free and " + JournalFile.RESERVE_BYTES
                                + " are needed: no pod is attached until there is room"));
    }

    /** Changes that are in memory alone. */
    public synchronized int unwrittenChanges() {
        return file.waiting();
    }

    /** All attachments, in key order. */
    public List<Attachment> attachments() {
        return intact(() -> {
            List<Attachment> all = new ArrayList<>();
            file.maps()
                    .attachments()
                    .all()
                    .values()
                    .forEach(json -> all.add(read(json, AttachmentRow.class).toAttachment()));
            return all;
        });
    }

    /**
     * Writes attachments, new or changed, as one change.
     *
     * @throws JournalException when they cannot be written; whether they are in the file is not known then, and
     *     {@link #remove} makes sure that one is not
     */
    public synchronized void put(List<Attachment> attachments) {
        keep(attachments);
        if (!file.current()) {
            file.takeBackLast();
            throw new JournalException(
                    Reason.UNWRITABLE, problem().orElse("the journal " + path + " is not written yet"));
        }
    }

    /** Writes attachments, new or changed, at once or once it can. */
    synchronized void keep(List<Attachment> attachments) {
        Map<String, String> rows = new TreeMap<>();
        attachments.forEach(a -> rows.put(a.key().toString(), row(a)));
        file.change(maps -> rows.forEach(maps.attachments()::put));
    }

    /**
     * Removes an attachment and notes that its addresses cool down, as one change.
     *
     * @param coolingNow every address that cools down now, longest first
     */
    public synchronized void remove(EndpointKey key, List<IpAddress> coolingNow) {
        List<IpAddress> now = List.copyOf(coolingNow);
        file.change(maps -> {
            maps.attachments().remove(key.toString());
            putCooling(maps, now);
        });
    }

    private void putCooling(JournalFile.Maps maps, List<IpAddress> coolingNow) {
        loadCooling(maps);
        Set<IpAddress> now = new LinkedHashSet<>(coolingNow);
        written.entrySet().removeIf(entry -> {
            boolean over = !now.contains(entry.getKey());
            if (over) {
                maps.cooling().remove(entry.getValue());
            }
            return over;
        });
        long last = -1;
        for (IpAddress address : now) {
            long order = written.getOrDefault(address, -1L);
            // Before the one in front of it: it was taken and released again since it was written.
            if (order <= last) {
                if (order >= 0) {
                    maps.cooling().remove(order);
                }
                order = nextCooling++;
                written.put(address, order);
                maps.cooling().put(order, address.toString());
            }
            last = order;
        }
    }

    /** From other maps than last time only: those of a file that was opened again. */
    private void loadCooling(JournalFile.Maps maps) {
        if (loaded.equals(Optional.of(maps))) {
            return;
        }
        written.clear();
        maps.cooling().all().forEach((order, address) -> {
            written.put(IpAddress.parse(address), order);
            nextCooling = Math.max(nextCooling, order + 1);
        });
        loaded = Optional.of(maps);
    }

    /** Addresses that cooled down when last written, longest first. */
    public List<IpAddress> cooling() {
        return intact(() -> file.maps().cooling().all().values().stream()
                .map(IpAddress::parse)
                .toList());
    }

    /** Blocks this node owns, with their pools. */
    public Map<IpPrefix, String> blocks() {
        return intact(() -> {
            Map<IpPrefix, String> all = new TreeMap<>();
            file.maps().blocks().all().forEach((cidr, pool) -> all.put(IpPrefix.parse(cidr), pool));
            return all;
        });
    }

    /** Notes a block that this node owns. */
    public synchronized void putBlock(IpPrefix block, String pool) {
        file.change(maps -> maps.blocks().put(block.toString(), pool));
    }

    /** Notes that a block is not this node's any more. */
    public synchronized void removeBlock(IpPrefix block) {
        file.change(maps -> maps.blocks().remove(block.toString()));
    }

    /**
     * Notes that a block is on its way back to ipam-service: no address of it is given any more, and after a restart it
     * is returned before anything else is done with it. Forced to the disk, past a loss of power: an older file
     * would give addresses of a block that others have.
     *
     * @return true when that is done; false: it is kept in memory alone, repeat it before the block is returned
     */
    public synchronized boolean beginReturn(IpPrefix block) {
        file.change(maps -> {
            maps.blocks().remove(block.toString());
            maps.returning().put(block.toString(), "");
        });
        return file.force();
    }

    /** Notes that a block was returned. */
    public synchronized void endReturn(IpPrefix block) {
        file.change(maps -> maps.returning().remove(block.toString()));
    }

    /** Blocks that were on their way back when last written. */
    public Set<IpPrefix> returning() {
        return intact(() -> {
            Set<IpPrefix> all = new TreeSet<>();
            file.maps().returning().all().keySet().forEach(cidr -> all.add(IpPrefix.parse(cidr)));
            return all;
        });
    }

    /**
     * Notes that an attachment is about to get addresses of ipam-service's own blocks. Forced to the disk, past a loss of
     * power: addresses that no file names would never go back.
     *
     * @return true when that is done; false: it is not noted, and they must not be asked for
     */
    public synchronized boolean beginSingle(SingleHold asked) {
        putSingle(asked);
        if (file.force()) {
            return true;
        }
        endSingle(asked);
        return false;
    }

    /** Notes what has become of such addresses. */
    public synchronized void putSingle(SingleHold hold) {
        String row = write(SingleRow.of(hold));
        file.change(maps -> maps.singles().put(hold.ownerId(), row));
    }

    /** Notes that ipam-service has taken such addresses back. */
    public synchronized void endSingle(SingleHold hold) {
        file.change(maps -> maps.singles().remove(hold.ownerId()));
    }

    /** Addresses of ipam-service's own blocks, as last written. */
    public List<SingleHold> singles() {
        return intact(() -> file.maps().singles().all().entrySet().stream()
                .map(entry -> read(entry.getValue(), SingleRow.class).toHold(entry.getKey()))
                .toList());
    }

    /** A small fact of the node, such as the address of its VXLAN device. */
    public Optional<String> fact(String name) {
        return intact(() -> file.maps().meta().get("fact." + name));
    }

    /** Notes a small fact of the node. */
    public synchronized void putFact(String name, String value) {
        file.change(maps -> maps.meta().put("fact." + name, value));
    }

    /** The program enforced last; empty when none was. */
    public synchronized Optional<NodeProgram> program() {
        return intact(this::readProgram);
    }

    private Optional<NodeProgram> readProgram() {
        JournalFile.Maps maps = file.maps();
        Optional<String> revision = maps.meta().get("program.revision");
        if (revision.isEmpty()) {
            return Optional.empty();
        }
        TreeMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        maps.programEndpoints().all().forEach((key, json) -> endpoints.put(key(key), read(json, EndpointPolicy.class)));
        TreeMap<String, AddressSet> sets = new TreeMap<>();
        maps.programSets()
                .all()
                .forEach((id, json) -> sets.put(id, read(json, SetRow.class).toSet()));
        TreeMap<PodName, ExpectedPod> expected = new TreeMap<>();
        maps.programExpected().all().values().forEach(json -> {
            ExpectedPod pod = read(json, ExpectedPod.class);
            expected.put(pod.pod(), pod);
        });
        return Optional.of(new NodeProgram(Long.parseLong(revision.get()), endpoints, sets, expected));
    }

    /** Writes a whole program. Of those that cannot be written now, the newest is written later. */
    public synchronized void putProgram(NodeProgram program) {
        newest = program;
        if (file.keeps(wholeProgram)) {
            catchUp();
        } else {
            file.change(wholeProgram);
        }
    }

    private void writeProgram(JournalFile.Maps maps) {
        NodeProgram program = newest;
        clearProgram(maps);
        program.endpoints().forEach((key, policy) -> maps.programEndpoints().put(key.toString(), write(policy)));
        program.addressSets().forEach((id, set) -> maps.programSets().put(id, write(SetRow.of(set))));
        program.expected().forEach((pod, policy) -> maps.programExpected().put(pod.toString(), write(policy)));
        maps.meta().put("program.revision", Long.toString(program.revision()));
    }

    /** Writes what a delta changed. */
    public synchronized void putProgram(NodeProgram after, NodeProgramDelta delta) {
        if (!file.current()) {
            putProgram(after);
            return;
        }
        file.change(maps -> {
            delta.endpoints().forEach((key, policy) -> maps.programEndpoints().put(key.toString(), write(policy)));
            delta.removedEndpoints().forEach(key -> maps.programEndpoints().remove(key.toString()));
            delta.changedSets()
                    .forEach((id, _) -> maps.programSets()
                            .put(id, write(SetRow.of(after.addressSets().get(id)))));
            delta.removedSets().forEach(maps.programSets()::remove);
            delta.expected().forEach((pod, policy) -> maps.programExpected().put(pod.toString(), write(policy)));
            delta.removedExpected().forEach(pod -> maps.programExpected().remove(pod.toString()));
            maps.meta().put("program.revision", Long.toString(after.revision()));
        });
    }

    private static void clearProgram(JournalFile.Maps maps) {
        maps.programEndpoints().clear();
        maps.programSets().clear();
        maps.programExpected().clear();
        maps.meta().remove("program.revision");
    }

    @Override
    public void close() {
        file.close();
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
                    Reason.DAMAGED, "damaged page in the journal " + path + ": " + e.getMessage() + DAMAGED, e);
        }
    }

    private <T> T read(String json, Class<T> type) {
        try {
            return JSON.readValue(json, type);
        } catch (JsonProcessingException e) {
            throw new JournalException(
                    Reason.DAMAGED,
                    "damaged entry in the journal " + path + ": " + e.getOriginalMessage() + DAMAGED,
                    e);
        }
    }

    /** An attachment as it stands in files. */
    static String row(Attachment attachment) {
        return write(AttachmentRow.of(attachment));
    }

    /**
     * Reads what {@link #row} wrote.
     *
     * @throws JsonProcessingException when it is not that
     */
    static Attachment attachment(String row) throws JsonProcessingException {
        return JSON.readValue(row, AttachmentRow.class).toAttachment();
    }

    /**
     * How an attachment stands in the file. Format 1 had one "address", which reads as a list of one. What it asks
     * for is a list of one or, where it asks for nothing and in files of older releases, not there. What is on the
     * bridge has no "mode", as in every row of a release that knew nothing else.
     */
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

            @JsonInclude(JsonInclude.Include.NON_EMPTY) @JsonSetter(nulls = Nulls.AS_EMPTY)
            String mode,

            String hostIfname,
            String mac,

            @JsonAlias("address") @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY)
            List<String> addresses,

            int mtu,
            Attachment.State state,
            long policyRevision,
            long sinceMs,

            @JsonInclude(JsonInclude.Include.NON_EMPTY) @JsonSetter(nulls = Nulls.AS_EMPTY)
            List<RequestRow> request) {
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
                    a.mode() instanceof WiringMode.Bridge ? "" : a.mode().text(),
                    a.hostIfname(),
                    a.mac().toString(),
                    a.addresses().stream().map(IpAddress::toString).toList(),
                    a.mtu(),
                    a.state(),
                    a.policyRevision(),
                    a.since().toEpochMilli(),
                    a.request().equals(PodRequest.NONE) ? List.of() : List.of(RequestRow.of(a.request())));
        }

        Attachment toAttachment() {
            return new Attachment(
                    new EndpointKey(containerId, ifname),
                    network,
                    new Attachment.PodIdentity(podNamespace, podName, podUid, declared),
                    netnsPath,
                    netnsInode,
                    WiringMode.parse(mode),
                    hostIfname,
                    MacAddress.parse(mac),
                    PodAddresses.parse(addresses),
                    mtu,
                    state,
                    policyRevision,
                    Instant.ofEpochMilli(sinceMs),
                    request.stream().findFirst().map(RequestRow::toRequest).orElse(PodRequest.NONE));
        }
    }

    /** How a single address stands in the file, under its owner's id. */
    record SingleRow(String containerId, String ifname, List<String> addresses, boolean leaving) {
        static SingleRow of(SingleHold hold) {
            return new SingleRow(
                    hold.key().containerId(),
                    hold.key().ifname(),
                    hold.addresses().stream().map(IpAddress::toString).toList(),
                    hold.leaving());
        }

        SingleHold toHold(String ownerId) {
            return new SingleHold(
                    ownerId,
                    new EndpointKey(containerId, ifname),
                    addresses.stream().map(IpAddress::parse).toList(),
                    leaving);
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
