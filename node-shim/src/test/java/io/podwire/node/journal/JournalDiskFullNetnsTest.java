package io.podwire.node.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.journal.Attachment.PodIdentity;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.EndpointPolicy;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.NodeProgramDelta;
import io.podwire.node.testing.NetnsSandbox;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A journal on a small disk of its own, which others fill. */
@Tag("netns") // mounts need the sandbox
final class JournalDiskFullNetnsTest {
    @TempDir
    Path folder;

    private Path disk;

    @BeforeEach
    void mount() throws IOException {
        disk = Files.createDirectory(folder.resolve("disk"));
        NetnsSandbox.run(List.of("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk.toString()));
    }

    @AfterEach
    void unmount() {
        NetnsSandbox.run(List.of("umount", disk.toString()));
    }

    @Test
    void anAttachmentIsRefusedBeforeAnythingIsDoneForIt() throws IOException {
        try (Journal journal = begun()) {
            journal.put(List.of(attachment("before")));
            fill(JournalFile.RESERVE_BYTES - 4096);
            assertThat(journal.problem())
                    .as("for STATUS")
                    .hasValueSatisfying(why -> assertThat(why).contains(disk.toString(), "is full"));
            assertThatExceptionOfType(JournalException.class)
                    .isThrownBy(journal::checkWritable)
                    .withMessageContaining("is full")
                    .withMessageContaining(String.valueOf(JournalFile.RESERVE_BYTES));
            journal.remove(attachment("before").key(), List.of());
            assertThat(journal.unwrittenChanges())
                    .as("removals have the reserve")
                    .isZero();
            free();
            journal.checkWritable();
            assertThat(journal.problem()).isEmpty();
        }
    }

    @Test
    void removalsAreKeptUntilThereIsRoomAndReadersSeeThem() throws IOException {
        List<Attachment> attachments = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            attachments.add(attachment("c" + i));
        }
        NodeProgram program = program(7, Map.of());
        try (Journal journal = begun()) {
            journal.put(attachments);
            journal.putProgram(program);
            fill(0);
            TreeMap<EndpointKey, EndpointPolicy> many = new TreeMap<>();
            for (int i = 0; i < 2000; i++) {
                many.put(new EndpointKey("many" + i, "eth0"), EndpointPolicy.OPEN);
            }
            program = program(7, many);
            journal.putProgram(program);
            attachments.forEach(a -> journal.remove(a.key(), a.addresses().list()));
            journal.putBlock(IpPrefix.parse("10.9.0.0/26"), "late");
            journal.putFact("name", "value");
            for (int revision = 8; revision < 60; revision++) {
                EndpointKey added = new EndpointKey("p" + revision, "eth0");
                NodeProgramDelta delta = new NodeProgramDelta(
                        revision,
                        new TreeMap<>(Map.of(added, EndpointPolicy.OPEN)),
                        Set.of(),
                        new TreeMap<>(),
                        Set.of(),
                        new TreeMap<>(),
                        Set.of());
                program = program.with(delta);
                journal.putProgram(program, delta);
            }
            assertThat(journal.problem()).isPresent();
            assertThat(journal.unwrittenChanges())
                    .as("programs replace each other")
                    .isBetween(1, attachments.size() + 5);
            assertThatExceptionOfType(JournalException.class).isThrownBy(() -> journal.put(List.of(attachment("new"))));
            assertContent(journal, program, attachments.getLast());

            free();
            journal.catchUp();
            assertThat(journal.problem()).isEmpty();
            assertThat(journal.unwrittenChanges()).isZero();
            journal.checkWritable();
        }
        try (Journal journal = Journal.open(disk.resolve("journal.mv"))) {
            assertContent(journal, program, attachments.getLast());
        }
    }

    private static void assertContent(Journal journal, NodeProgram program, Attachment last) {
        assertThat(journal.attachments()).as("attachments").isEmpty();
        assertThat(journal.cooling()).as("cooling").isEqualTo(last.addresses().list());
        assertThat(journal.blocks()).as("blocks").containsExactly(Map.entry(IpPrefix.parse("10.9.0.0/26"), "late"));
        assertThat(journal.fact("name")).hasValue("value");
        assertThat(journal.program()).hasValue(program);
    }

    @Test
    void aKillOnAFullDiskFindsTheStateBeforeIt() throws IOException {
        Attachment kept = attachment("kept");
        Path copy = folder.resolve("journal.mv");
        try (Journal journal = begun()) {
            journal.put(List.of(kept));
            fill(0);
            for (int i = 0; i < 30; i++) {
                journal.remove(new EndpointKey("none" + i, "eth0"), List.of());
            }
            journal.remove(kept.key(), kept.addresses().list());
            assertThat(journal.unwrittenChanges()).isPositive();
            Files.copy(disk.resolve("journal.mv"), copy);
            Files.copy(disk.resolve("journal.mv.version"), folder.resolve("journal.mv.version"));
        }
        try (Journal journal = Journal.open(copy)) {
            assertThat(journal.attachments()).as("its address stays taken").containsExactly(kept);
        }
    }

    @Test
    void itStartsOnAFullDisk() throws IOException {
        Attachment kept = attachment("kept");
        try (Journal journal = begun()) {
            journal.put(List.of(kept));
        }
        fill(0);
        try (Journal journal = Journal.open(disk.resolve("journal.mv"))) {
            Journal.Life life = journal.begin("boot-2", Optional.empty());
            assertThat(life.counter()).isEqualTo(2);
            assertThat(journal.attachments()).containsExactly(kept.ofAnotherBoot());
            new NodeIdentityFile(disk.resolve("node-identity")).write(life);
            free();
            journal.checkWritable();
        }
    }

    private Journal begun() {
        Journal journal = Journal.open(disk.resolve("journal.mv"));
        journal.begin("boot", Optional.empty());
        return journal;
    }

    /** Another program takes all of the disk but so many bytes. */
    private void fill(long left) throws IOException {
        byte[] page = new byte[4096];
        try (OutputStream out = Files.newOutputStream(disk.resolve("filler"))) {
            while (disk.toFile().getUsableSpace() > left) {
                out.write(page);
            }
        }
    }

    private void free() throws IOException {
        Files.delete(disk.resolve("filler"));
    }

    private static NodeProgram program(long revision, Map<EndpointKey, EndpointPolicy> endpoints) {
        return new NodeProgram(revision, new TreeMap<>(endpoints), new TreeMap<>(), new TreeMap<>());
    }

    private static Attachment attachment(String id) {
        IpAddress address = IpAddress.parse("10.1.0.0").plus(id.hashCode() & 0xff);
        return new Attachment(
                new EndpointKey(id, "eth0"),
                "podwire",
                new PodIdentity("default", "pod-" + id, "uid-" + id, true),
                "/run/netns/" + id,
                4026531840L,
                "pw" + id,
                MacAddress.locallyAdministered(1),
                PodAddresses.of(address),
                1450,
                Attachment.State.ATTACHED,
                0,
                Instant.ofEpochMilli(1_700_000_000_123L));
    }
}
