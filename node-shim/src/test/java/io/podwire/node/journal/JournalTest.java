package io.podwire.node.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.PodAddresses;
import io.podwire.common.testing.Seeds;
import io.podwire.node.journal.Attachment.PodIdentity;
import io.podwire.node.plan.AddressSet;
import io.podwire.node.plan.AddressSetDelta;
import io.podwire.node.plan.DirectionPolicy;
import io.podwire.node.plan.DnsSettings;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.EndpointPolicy;
import io.podwire.node.plan.ExpectedPod;
import io.podwire.node.plan.ExtraRoute;
import io.podwire.node.plan.HostPort;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.NodeProgramDelta;
import io.podwire.node.plan.PodName;
import io.podwire.node.plan.PodRequest;
import io.podwire.node.plan.PolicyRule;
import io.podwire.node.plan.PortRange;
import io.podwire.node.plan.RateLimit;
import io.podwire.node.plan.Shaping;
import io.podwire.node.plan.TierRule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class JournalTest {
    private static final IpPrefix BLOCK = IpPrefix.parse("10.1.0.0/26");

    @TempDir
    Path folder;

    @Test
    void theSameBootKeepsAttachmentsAndCountsTheLife() {
        Attachment attachment = attachment("c1", 5);
        Journal.Life first;
        try (Journal journal = Journal.open(file())) {
            first = journal.begin("boot-1", Optional.empty());
            journal.put(List.of(attachment));
        }
        try (Journal journal = Journal.open(file())) {
            Journal.Life second = journal.begin("boot-1", Optional.empty());
            assertThat(first).isEqualTo(new Journal.Life(first.nodeUid(), 1, false));
            assertThat(second).isEqualTo(new Journal.Life(first.nodeUid(), 2, true));
            assertThat(journal.attachments()).containsExactly(attachment);
        }
    }

    @Test
    void anotherBootLeavesAttachmentsWithoutANamespaceAndForgetsTheProgram() {
        Journal.Life first;
        Attachment old = attachment("c1", 5);
        try (Journal journal = Journal.open(file())) {
            first = journal.begin("boot-1", Optional.empty());
            journal.put(List.of(old));
            journal.remove(new EndpointKey("c2", "eth0"), List.of(IpAddress.parse("10.1.0.9")));
            journal.putBlock(BLOCK, "default");
            journal.putFact("tunnel-address", "10.1.0.1");
            journal.putProgram(program(3));
        }
        try (Journal journal = Journal.open(file())) {
            Journal.Life second = journal.begin("boot-2", Optional.empty());
            assertThat(second)
                    .as("the installation is the same, its epoch is not")
                    .isEqualTo(new Journal.Life(first.nodeUid(), 2, false));
            assertThat(journal.attachments())
                    .as("whether they are gone is found out by looking")
                    .containsExactly(old.ofAnotherBoot());
            assertThat(journal.cooling()).as("released late in the old boot").hasSize(1);
            assertThat(journal.program()).as("program of the old boot").isEmpty();
            assertThat(journal.blocks())
                    .as("owned by the node, not by its boot")
                    .containsExactly(Map.entry(BLOCK, "default"));
            assertThat(journal.fact("tunnel-address")).hasValue("10.1.0.1");
        }
    }

    @Test
    void attachmentsWithOddNamesComeBackAsTheyWere() {
        List<Attachment> odd = List.of(
                odd("A.b-c_9", "eth0", "net\"work\\", "default", "p\u00f6d \u2603", "u;i=d"),
                odd("x", "e{}\"t'h", "\u0000\u0001", "", "", ""),
                odd("z".repeat(255), "\ud83d\ude80", "n/a", "kube-system", "a/b/c", "\n"));
        try (Journal journal = Journal.open(file())) {
            journal.begin("boot", Optional.empty());
            journal.put(odd);
        }
        try (Journal journal = Journal.open(file())) {
            assertThat(journal.attachments()).containsExactlyElementsOf(odd);
        }
    }

    @Test
    void anAttachmentOfFormat1IsReadAndWrittenAnew() {
        try (MVStore store = new MVStore.Builder().fileName(file().toString()).open()) {
            MVMap<String, String> meta = store.openMap("meta");
            meta.put("node-uid", "uid-1");
            meta.put("counter", "4");
            meta.put("boot-id", "boot");
            MVMap<String, String> attachments = store.openMap("attachments");
            attachments.put("c1/eth0", """
                    {"containerId":"c1","ifname":"eth0","network":"podwire","podNamespace":"default","podName":"pod-c1",\
                    "podUid":"uid-c1","declared":true,"netnsPath":"/run/netns/c1","netnsInode":4026531845,\
                    "hostIfname":"pwc1","mac":"02:00:00:00:00:05","address":"10.1.0.5","mtu":1450,"state":"INTENT",\
                    "policyRevision":0,"sinceMs":1700000000123}""");
        }
        try (Journal journal = Journal.open(file())) {
            assertThat(journal.begin("boot", Optional.empty())).isEqualTo(new Journal.Life("uid-1", 5, true));
            assertThat(journal.attachments()).containsExactly(attachment("c1", 5));
            journal.put(List.of(journal.attachments().getFirst().attached(9, Instant.ofEpochMilli(1))));
        }
        try (Journal journal = Journal.open(file())) {
            journal.begin("boot", Optional.empty());
            assertThat(journal.attachments())
                    .containsExactly(attachment("c1", 5).attached(9, Instant.ofEpochMilli(1)));
        }
    }

    @Test
    void aJournalOfALaterFormatIsRefused() {
        try (Journal journal = Journal.open(file())) {
            journal.begin("boot", Optional.empty());
        }
        try (MVStore store = new MVStore.Builder().fileName(file().toString()).open()) {
            store.<String, String>openMap("format").put("format", "4");
            store.commit();
        }
        assertThatExceptionOfType(JournalException.class)
                .isThrownBy(() -> Journal.open(file()))
                .withMessageContaining("has format 4, this release reads 1 to 3")
                .returns(JournalException.Reason.UNUSABLE, JournalException::reason);
    }

    @Test
    void bothFamiliesComeBack() {
        PodAddresses both = PodAddresses.parse(List.of("fd00::5", "10.1.0.5"));
        Attachment one = attachment("c1", 5);
        Attachment dual = new Attachment(
                one.key(),
                one.network(),
                one.pod(),
                one.netnsPath(),
                one.netnsInode(),
                one.hostIfname(),
                one.mac(),
                both,
                one.mtu(),
                one.state(),
                one.policyRevision(),
                one.since());
        try (Journal journal = Journal.open(file())) {
            journal.begin("boot", Optional.empty());
            journal.put(List.of(dual));
            journal.put(List.of(attachment("c2", 6)));
            journal.remove(new EndpointKey("c2", "eth0"), both.list());
        }
        try (Journal journal = Journal.open(file())) {
            journal.begin("boot", Optional.empty());
            assertThat(journal.attachments()).containsExactly(dual);
            assertThat(journal.cooling()).isEqualTo(both.list());
        }
    }

    @Test
    void whatAnAttachmentAsksForComesBack() {
        Attachment plain = attachment("c1", 5);
        Attachment asking = attachment("c2", 6).asking(everything());
        Attachment little = attachment("c3", 7).asking(mtu(1400));
        try (Journal journal = Journal.open(file())) {
            journal.begin("boot", Optional.empty());
            journal.put(List.of(plain, asking, little));
        }
        try (Journal journal = Journal.open(file())) {
            journal.begin("boot", Optional.empty());
            assertThat(journal.attachments()).containsExactly(plain, asking, little);
        }
    }

    @Test
    void aRowOfAReleaseThatKnewNoRequestsAsksForNothing() throws Exception {
        Attachment plain = attachment("c1", 5);
        String row = Journal.row(plain);
        assertThat(row).as("what asks for nothing stands as it always stood").doesNotContain("request");
        assertThat(Journal.attachment(row)).isEqualTo(plain);
        assertThat(Journal.attachment(row).request()).isEqualTo(PodRequest.NONE);
    }

    private static PodRequest mtu(int mtu) {
        return new PodRequest(
                List.of(),
                Optional.empty(),
                Optional.empty(),
                List.of(),
                Shaping.NONE,
                Optional.empty(),
                new TreeMap<>(),
                OptionalInt.of(mtu),
                List.of(),
                false);
    }

    private static PodRequest everything() {
        return new PodRequest(
                List.of(IpAddress.parse("10.1.0.6"), IpAddress.parse("fd00::6")),
                Optional.of(MacAddress.parse("02:00:00:00:00:06")),
                Optional.of("blue"),
                List.of(
                        new HostPort(IpProtocol.TCP, 8080, 80, Optional.empty()),
                        new HostPort(IpProtocol.SCTP, 8080, 81, Optional.of(IpAddress.parse("::1")))),
                new Shaping(Optional.of(RateLimit.ofRate(1_000_000)), Optional.of(new RateLimit(5_000, 7))),
                Optional.of(
                        new DnsSettings(List.of("192.0.2.53"), "a.example", List.of("b.example"), List.of("rotate"))),
                new TreeMap<>(Map.of("net/core/somaxconn", "777")),
                OptionalInt.of(9000),
                List.of(
                        new ExtraRoute(
                                IpPrefix.parse("192.0.2.0/24"),
                                Optional.of(IpAddress.parse("169.254.1.1")),
                                OptionalInt.of(1400),
                                OptionalInt.of(1360),
                                OptionalLong.of((1L << 32) - 1),
                                OptionalLong.of(100),
                                OptionalInt.of(0)),
                        new ExtraRoute(
                                IpPrefix.parse("2001:db8::/32"),
                                Optional.empty(),
                                OptionalInt.empty(),
                                OptionalInt.empty(),
                                OptionalLong.empty(),
                                OptionalLong.empty(),
                                OptionalInt.empty())),
                true);
    }

    private static Attachment odd(String id, String ifname, String network, String ns, String pod, String uid) {
        return new Attachment(
                new EndpointKey(id, ifname),
                network,
                new PodIdentity(ns, pod, uid, !pod.isEmpty()),
                "/run/netns/" + pod,
                Long.MAX_VALUE,
                "pwabcdef",
                MacAddress.parse("02:70:0a:01:00:05"),
                PodAddresses.of(IpAddress.parse("255.255.255.255")),
                65_535,
                Attachment.State.INTENT,
                Long.MAX_VALUE,
                Instant.ofEpochMilli(1));
    }

    @Test
    void aFullProgramReplacesAndADeltaAmendsWhatIsInTheFile() {
        NodeProgram before = program(3);
        NodeProgramDelta delta = new NodeProgramDelta(
                4,
                new TreeMap<>(Map.of(new EndpointKey("new", "eth0"), EndpointPolicy.OPEN)),
                Set.of(new EndpointKey("c1", "eth0")),
                new TreeMap<>(Map.of(
                        "web",
                        new AddressSetDelta(
                                "web",
                                "pods web",
                                Set.of(IpPrefix.parse("10.2.0.8/32")),
                                Set.of(IpPrefix.parse("10.2.0.7/32"))))),
                Set.of("db"),
                new TreeMap<>(Map.of(
                        new PodName("ns", ""),
                        new ExpectedPod(new PodName("ns", ""), "", EndpointPolicy.OPEN, List.of("web")))),
                Set.of(new PodName("ns", "gone")));
        try (Journal journal = Journal.open(file())) {
            journal.begin("boot", Optional.empty());
            journal.putProgram(program(1));
            journal.putProgram(before);
            assertThat(journal.program()).hasValue(before);
            journal.putProgram(before.with(delta), delta);
        }
        try (Journal journal = Journal.open(file())) {
            assertThat(journal.program()).hasValue(before.with(delta));
        }
    }

    @Test
    void everyChangeWhoseMethodReturnedSurvivesAKill() {
        Seeds.forEach(JournalTest.class, 4, random -> {
            Path file = folder.resolve("killed-" + random.nextLong() + ".mv");
            Map<EndpointKey, Attachment> attachments = new TreeMap<>();
            Map<IpPrefix, String> blocks = new TreeMap<>();
            List<IpAddress> cooling = List.of();
            NodeProgram program = NodeProgram.EMPTY;
            try (Journal journal = Journal.open(file)) {
                journal.begin("boot", Optional.empty());
                journal.putProgram(program);
                for (int step = 0; step < 120; step++) {
                    switch (random.nextInt(6)) {
                        case 0, 1, 2 -> {
                            Attachment a = attachment("c" + random.nextInt(20), random.nextInt(250));
                            attachments.put(a.key(), a);
                            journal.put(List.of(a));
                        }
                        case 3 -> {
                            EndpointKey key = new EndpointKey("c" + random.nextInt(20), "eth0");
                            attachments.remove(key);
                            cooling = random.ints(random.nextInt(5), 0, 6)
                                    .distinct()
                                    .mapToObj(i -> IpAddress.parse("10.1.0.0").plus(i))
                                    .toList();
                            journal.remove(key, cooling);
                        }
                        case 4 -> {
                            IpPrefix block = IpPrefix.parse("10." + random.nextInt(4) + ".0.0/26");
                            if (random.nextBoolean()) {
                                blocks.put(block, "pool");
                                journal.putBlock(block, "pool");
                            } else {
                                blocks.remove(block);
                                journal.removeBlock(block);
                            }
                        }
                        default -> {
                            program = program(random.nextInt(1, 1000));
                            journal.putProgram(program);
                        }
                    }
                    if (step % 10 == 9) {
                        Content copy = copyOf(file, random);
                        assertThat(copy.attachments())
                                .as("attachments after step %d", step)
                                .containsExactlyElementsOf(attachments.values());
                        assertThat(copy.blocks())
                                .as("blocks after step %d", step)
                                .isEqualTo(blocks);
                        assertThat(copy.cooling())
                                .as("cooling after step %d", step)
                                .isEqualTo(cooling);
                        assertThat(copy.program())
                                .as("program after step %d", step)
                                .isEqualTo(program);
                    }
                }
            }
        });
    }

    private record Content(
            List<Attachment> attachments, Map<IpPrefix, String> blocks, List<IpAddress> cooling, NodeProgram program) {}

    /** What kill -9 leaves: the bytes that were written so far. */
    private Content copyOf(Path file, RandomGenerator random) throws IOException {
        Path copy = folder.resolve("copy-" + random.nextLong() + ".mv");
        Files.copy(file, copy);
        try (Journal journal = Journal.open(copy)) {
            assertThat(journal.begin("boot", Optional.empty()).sameBoot()).isTrue();
            return new Content(
                    journal.attachments(),
                    journal.blocks(),
                    journal.cooling(),
                    journal.program().orElseThrow());
        } finally {
            Files.delete(copy);
        }
    }

    @Test
    void aSecondOpenerIsRefusedAndToldWhy() {
        try (Journal _ = Journal.open(file())) {
            assertThatExceptionOfType(JournalException.class)
                    .isThrownBy(() -> Journal.open(file()))
                    .withMessageContaining(file().toString())
                    .withMessageContaining("Is another node-shim running on this --state-dir?");
        }
        try (Journal again = Journal.open(file())) {
            assertThat(again.attachments()).as("the refusal changed nothing").isEmpty();
        }
    }

    @Test
    void aFileThatIsNoJournalIsLeftAsItIsAndNamed() throws IOException {
        byte[] other = "this is somebody's text, long enough to have been a header. "
                .repeat(200)
                .getBytes(java.nio.charset.StandardCharsets.UTF_8);
        Files.write(file(), other);

        assertThatExceptionOfType(JournalException.class)
                .isThrownBy(() -> Journal.open(file()))
                .withMessageContaining(file().toString())
                .withMessageContaining("docs/operating.md");
        assertThat(Files.readAllBytes(file())).isEqualTo(other);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "cut short|{\"containerId\":\"c1\"",
                "without its checksum|{}",
                "with the checksum of another key|5e4e7a6d{}",
                "empty|''"
            })
    void aDamagedEntryIsNamedAndNotGuessed(String how, String entry) {
        try (Journal journal = Journal.open(file())) {
            journal.begin("boot", Optional.empty());
            journal.put(List.of(attachment("c1", 5)));
        }
        raw(store -> store.<String, String>openMap("attachments").put("c1/eth0", entry));
        assertThatExceptionOfType(JournalException.class)
                .as(how)
                .isThrownBy(() -> Journal.open(file()))
                .withMessageContaining(file().toString())
                .withMessageContaining("entry c1/eth0 of attachments has another checksum");
    }

    private void raw(Consumer<MVStore> change) {
        try (MVStore store = new MVStore.Builder().fileName(file().toString()).open()) {
            change.accept(store);
        }
    }

    @Test
    void aFileThatLostItsEndIsNotTakenForAGoodOldOne() throws IOException {
        Path old = folder.resolve("old.mv");
        try (Journal journal = Journal.open(file())) {
            journal.begin("boot", Optional.empty());
            journal.put(List.of(attachment("c1", 5)));
            Files.copy(file(), old);
            journal.put(List.of(attachment("c2", 6)));
        }
        Files.copy(old, file(), StandardCopyOption.REPLACE_EXISTING);
        assertThatExceptionOfType(JournalException.class)
                .isThrownBy(() -> Journal.open(file()))
                .withMessageContaining("its end is lost");
        Files.delete(file());
        try (Journal journal = Journal.open(file())) {
            assertThat(journal.attachments())
                    .as("one that was taken away on purpose begins anew")
                    .isEmpty();
        }
    }

    @Test
    void aFileWithoutChecksumsGetsThem() {
        Attachment attachment = attachment("c1", 5);
        try (Journal journal = Journal.open(file())) {
            journal.begin("boot", Optional.empty());
            journal.put(List.of(attachment));
        }
        // As the releases before wrote it.
        raw(store -> {
            for (String name : List.of("meta", "attachments")) {
                MVMap<String, String> map = store.openMap(name);
                Map.copyOf(map).forEach((key, text) -> map.put(key, text.substring(8)));
            }
            store.<String, String>openMap("format").clear();
        });
        for (String which : List.of("converted", "read again")) {
            try (Journal journal = Journal.open(file())) {
                assertThat(journal.attachments()).as(which).containsExactly(attachment);
            }
        }
    }

    @Test
    void aFileOfANewerReleaseIsRefused() {
        Journal.open(file()).close();
        raw(store -> store.<String, String>openMap("format").put("format", "99"));
        assertThatExceptionOfType(JournalException.class)
                .isThrownBy(() -> Journal.open(file()))
                .withMessageContaining("it has format 99, this release reads 1 to ");
    }

    @Test
    void aCopyBesideTheJournalSaysWhoTheNodeIs() {
        NodeIdentityFile copy = new NodeIdentityFile(folder.resolve("node-identity"));
        assertThat(copy.read()).isEmpty();
        Journal.Life first;
        try (Journal journal = Journal.open(file())) {
            first = journal.begin("boot-1", copy.read());
            copy.write(first);
        }
        try (Journal lost = Journal.open(folder.resolve("new.mv"))) {
            assertThat(lost.begin("boot-1", copy.read()))
                    .as("the same owner of blocks, in a newer life")
                    .isEqualTo(new Journal.Life(first.nodeUid(), first.counter() + 1, false));
        }
        copy.write(new Journal.Life(first.nodeUid(), 9, true));
        try (Journal journal = Journal.open(file())) {
            assertThat(journal.begin("boot-1", copy.read()).counter())
                    .as("the journal is older than its copy")
                    .isEqualTo(10);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "uid", "uid 0\n", "uid 1", "../x 3\n", "uid 1\nmore"})
    void aDamagedCopySaysNothing(String content) throws IOException {
        Path path = Files.writeString(folder.resolve("node-identity"), content);
        assertThat(new NodeIdentityFile(path).read()).isEmpty();
    }

    /** Damage anywhere that changes what is read is a JournalException; nothing else leaves the class. */
    @Test
    void damageIsNeverAnythingButAJournalException() throws IOException {
        List<Attachment> written = new ArrayList<>();
        try (Journal journal = Journal.open(file())) {
            journal.begin("boot", Optional.empty());
            for (int i = 10; i < 50; i++) {
                written.add(attachment("c" + i, i));
                journal.put(List.of(written.getLast()));
            }
        }
        byte[] whole = Files.readAllBytes(file());
        AtomicInteger refused = new AtomicInteger();
        Seeds.forEach(JournalTest.class, 60, random -> {
            Path damaged = folder.resolve("damaged-" + random.nextLong() + ".mv");
            byte[] bytes = whole.clone();
            if (random.nextInt(3) == 0) {
                bytes = java.util.Arrays.copyOf(bytes, 1 + random.nextInt(bytes.length - 1));
            } else {
                int at = random.nextInt(bytes.length);
                for (int i = at; i < Math.min(bytes.length, at + 1 + random.nextInt(5000)); i++) {
                    bytes[i] = (byte) random.nextInt();
                }
            }
            Files.write(damaged, bytes);
            Files.copy(version(file()), version(damaged));
            try (Journal journal = Journal.open(damaged)) {
                assertThat(journal.attachments()).isEqualTo(written);
            } catch (JournalException e) {
                refused.incrementAndGet();
                assertThat(e).hasMessageContaining(damaged.toString());
            }
        });
        assertThat(refused).as("of 60").hasPositiveValue();
    }

    private static Path version(Path file) {
        return file.resolveSibling(file.getFileName() + ".version");
    }

    @Test
    void theTableIsTheJournalAndWhatIsUnderWay() throws IOException {
        Path folderOfIntents = folder.resolve("intents");
        try (Journal journal = Journal.open(file())) {
            journal.begin("boot", Optional.empty());
            List<Runnable> later = new ArrayList<>();
            AttachmentTable table = new AttachmentTable(journal, new IntentFolder(folderOfIntents), later::add);
            Attachment intent = attachment("c1", 5);
            Attachment done = attachment("c0", 6);
            table.begin(intent);
            table.begin(done);
            assertThat(table.all()).containsExactly(done, intent);
            assertThat(new AttachmentTable(journal, new IntentFolder(folderOfIntents), Runnable::run).all())
                    .as("what a kill leaves: neither is done")
                    .isEqualTo(table.all());
            done = done.attached(9, Instant.ofEpochMilli(77));
            table.finish(done);
            assertThat(table.all(Attachment.State.ATTACHED)).containsExactly(done);
            assertThat(journal.attachments())
                    .as("its pod does not wait for the journal")
                    .isEmpty();
            later.forEach(Runnable::run);
            assertThat(journal.attachments()).containsExactly(done);
            assertThat(folderOfIntents.resolve(done.hostIfname())).doesNotExist();
            assertThat(new AttachmentTable(journal, new IntentFolder(folderOfIntents), Runnable::run).all())
                    .as("read again")
                    .isEqualTo(table.all());
            table.remove(done, done.addresses().list());
            assertThat(table.get(done.key())).isEmpty();
            assertThat(journal.attachments()).isEmpty();
            assertThat(journal.cooling())
                    .containsExactlyElementsOf(done.addresses().list());
            table.remove(intent, List.of());
            assertThat(folderOfIntents).isEmptyDirectory();
        }
    }

    private AttachmentTable killedBeforeTheJournalHas(Journal journal, Attachment done) throws IOException {
        journal.begin("boot", Optional.empty());
        AttachmentTable table = new AttachmentTable(journal, new IntentFolder(folder.resolve("intents")), _ -> {});
        table.begin(done);
        table.finish(done.attached(9, Instant.ofEpochMilli(77)));
        return table;
    }

    @ParameterizedTest
    @ValueSource(strings = {"boot", "another boot"})
    void aDoneAddThatTheJournalLacksIsKept(String boot) throws IOException {
        IntentFolder intents = new IntentFolder(folder.resolve("intents"));
        Attachment done = attachment("c0", 6);
        try (Journal journal = Journal.open(file())) {
            killedBeforeTheJournalHas(journal, done);
        }
        try (Journal journal = Journal.open(file())) {
            assertThat(journal.attachments()).isEmpty();
            AttachmentTable.recover(journal, intents);
            journal.begin(boot, Optional.empty());
            Attachment known = done.attached(9, Instant.ofEpochMilli(77));
            known = boot.equals("boot") ? known : known.ofAnotherBoot();
            assertThat(new AttachmentTable(journal, intents, _ -> {}).all()).containsExactly(known);
            assertThat(journal.attachments()).containsExactly(known);
            assertThat(folder.resolve("intents")).isEmptyDirectory();
        }
    }

    @Test
    void aDoneAddThatWasCutOffIsAnIntent() throws IOException {
        IntentFolder intents = new IntentFolder(folder.resolve("intents"));
        Attachment intent = attachment("c0", 6);
        intents.write(intent);
        Path file = folder.resolve("intents").resolve(intent.hostIfname());
        String first = Files.readString(file);
        intents.complete(intent.attached(9, Instant.ofEpochMilli(77)));
        String whole = Files.readString(file);
        for (int length = first.length(); length < whole.length(); length++) {
            Files.writeString(file, whole.substring(0, length));
            assertThat(intents.all()).as("of %d bytes", length).containsExactly(intent);
        }
        Files.writeString(file, whole);
        assertThat(intents.all()).containsExactly(intent.attached(9, Instant.ofEpochMilli(77)));
    }

    @Test
    void whatIsRemovedBeforeTheJournalHasItStaysRemoved() throws IOException {
        try (Journal journal = Journal.open(file())) {
            Attachment done = attachment("c0", 6);
            AttachmentTable table = killedBeforeTheJournalHas(journal, done);
            table.remove(done, List.of());
            table.catchUp();
            assertThat(journal.attachments()).isEmpty();
            assertThat(folder.resolve("intents")).isEmptyDirectory();
        }
    }

    @Test
    void whatChangesBeforeTheJournalHasItStaysChanged() throws IOException {
        try (Journal journal = Journal.open(file())) {
            Attachment done = attachment("c0", 6);
            AttachmentTable table = killedBeforeTheJournalHas(journal, done);
            Attachment changed = done.attached(10, Instant.ofEpochMilli(78));
            table.update(changed);
            table.catchUp();
            assertThat(journal.attachments()).containsExactly(changed);
            assertThat(table.all()).containsExactly(changed);
            assertThat(folder.resolve("intents")).isEmptyDirectory();
        }
    }

    @Test
    void anIntentThatWasNotWrittenToItsEndIsNone() throws IOException {
        IntentFolder intents = new IntentFolder(folder.resolve("intents"));
        intents.write(attachment("c1", 5));
        Path torn = Files.writeString(folder.resolve("intents/pwtorn"), "{\"containerId\":");
        Files.writeString(folder.resolve("intents/pwempty"), "");
        assertThat(intents.all()).containsExactly(attachment("c1", 5));
        assertThat(torn).doesNotExist();
        assertThat(folder.resolve("intents/pwempty")).doesNotExist();
    }

    private Path file() {
        return folder.resolve("journal.mv");
    }

    private static Attachment attachment(String id, int host) {
        EndpointKey key = new EndpointKey(id, "eth0");
        return new Attachment(
                key,
                "podwire",
                new PodIdentity("default", "pod-" + id, "uid-" + id, true),
                "/run/netns/" + id,
                4026531840L + host,
                "pw" + id,
                MacAddress.locallyAdministered(host),
                PodAddresses.of(IpAddress.parse("10.1.0.0").plus(host)),
                1450,
                Attachment.State.INTENT,
                0,
                Instant.ofEpochMilli(1_700_000_000_123L));
    }

    private static NodeProgram program(long revision) {
        PolicyRule rule = new PolicyRule(
                "default/web",
                0,
                false,
                List.of("db", "web"),
                false,
                List.of(new PortRange(IpProtocol.TCP, 80, 90), new PortRange(IpProtocol.SCTP, 0, 65_535)));
        EndpointPolicy policy = new EndpointPolicy(
                new DirectionPolicy(
                        true,
                        List.of(rule),
                        List.of("default/web"),
                        List.of(new TierRule(TierRule.Tier.ADMIN, TierRule.RuleAction.PASS, rule, 10, "some"))),
                DirectionPolicy.OPEN);
        return new NodeProgram(
                revision,
                new TreeMap<>(Map.of(
                        new EndpointKey("c1", "eth0"),
                        policy,
                        new EndpointKey("c" + revision, "net1"),
                        EndpointPolicy.OPEN)),
                new TreeMap<>(Map.of(
                        "db", new AddressSet("db", "pods db", List.of(IpPrefix.parse("10.2.0.0/24"))),
                        "web", new AddressSet("web", "pods web", List.of(IpPrefix.parse("10.2.0.7/32"))))),
                new TreeMap<>(Map.of(
                        new PodName("ns", "gone"),
                        new ExpectedPod(new PodName("ns", "gone"), "u-1", policy, List.of("db", "web")))));
    }
}
