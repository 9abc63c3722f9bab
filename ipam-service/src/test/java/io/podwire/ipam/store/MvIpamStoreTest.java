package io.podwire.ipam.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.podwire.common.error.ServiceException;
import io.podwire.ipam.store.Change.Delete;
import io.podwire.ipam.store.Change.Put;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MvIpamStoreTest extends IpamStoreContract {
    @TempDir
    private Path dir;

    private Path file;
    private MvIpamStore store;

    @BeforeEach
    void open() throws IOException {
        file = dir.resolve("made/ipam.mv");
        store = MvIpamStore.open(file);
    }

    @AfterEach
    void close() {
        store.close();
    }

    @Override
    IpamStore store() {
        return store;
    }

    @Test
    void restartKeepsEntriesAndVersions() throws IOException {
        store.compareAndSet(List.of(new Put("a", 0, "x"), new Put("gone", 0, "x")));
        store.compareAndSet(List.of(new Put("a", 1, "y"), new Delete("gone", 1)));
        List<Entry> before = store.load();
        long revision = store.revision();
        store.close();
        store = MvIpamStore.open(file);
        assertThat(store.load()).isEqualTo(before).containsExactly(new Entry("a", 2, "y"));
        assertThat(store.revision()).isEqualTo(revision);
        store.compareAndSet(List.of(new Put("gone", 0, "again")));
        assertThat(store.load()).as("versions go on after a restart").contains(new Entry("gone", 3, "again"));
    }

    @Test
    void whatWasAnsweredIsInTheFileAtThatMoment() throws IOException {
        for (int i = 1; i <= 5; i++) {
            assertThat(store.compareAndSet(List.of(new Put("key-" + i, 0, "x"))))
                    .isInstanceOf(Outcome.Applied.class);
            Path copy = dir.resolve("copy-" + i);
            Files.copy(file, copy);
            try (MvIpamStore crashed = MvIpamStore.open(copy)) {
                assertThat(crashed.load()).as("opened as after a crash").isEqualTo(store.load());
            }
        }
    }

    /** Another process with a store: says "open", then the number of each write once it is answered. */
    static final class Writer {
        public static void main(String[] args) throws IOException {
            MvIpamStore store = MvIpamStore.open(Path.of(args[0]));
            for (int i = 1; ; i++) {
                store.compareAndSet(List.of(new Put("key-" + i, 0, "x")));
                System.out.println(i);
            }
        }
    }

    @Test
    void fileOfAnotherProcessIsRefusedAndAKillLosesNothingAnswered() throws Exception {
        Path theirs = dir.resolve("theirs.mv");
        Path answers = dir.resolve("answers");
        Process writer = new ProcessBuilder(
                        ProcessHandle.current().info().command().orElseThrow(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Writer.class.getName(),
                        theirs.toString())
                .redirectOutput(answers.toFile())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            await().until(() -> Files.readAllLines(answers).size() > 3);
            assertThatThrownBy(() -> MvIpamStore.open(theirs))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(theirs + " is in use by process " + writer.pid() + " (")
                    .hasMessageContaining("--mvstore-file");
        } finally {
            writer.destroyForcibly().waitFor();
        }
        int answered = Files.readAllLines(answers).size();
        try (MvIpamStore reopened = MvIpamStore.open(theirs)) {
            assertThat(reopened.load().size())
                    .as("writes found after kill -9; %d were answered", answered)
                    .isBetween(answered, answered + 1);
        }
    }

    @Test
    void fileThatIsNoStoreIsRefused() throws IOException {
        Path other = Files.writeString(dir.resolve("other"), "not a store".repeat(1000));
        assertThatThrownBy(() -> MvIpamStore.open(other))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("cannot be opened");
        assertThat(other).as("left as it was").hasContent("not a store".repeat(1000));
    }

    @Test
    void closedStoreIsUnavailableAndNotConnected() {
        store.close();
        assertThat(store.connected()).isFalse();
        assertThatThrownBy(store::load).isInstanceOf(ServiceException.class);
        assertThatThrownBy(store::revision).isInstanceOf(ServiceException.class);
        assertThatThrownBy(() -> store.compareAndSet(List.of(new Put("a", 0, "x"))))
                .isInstanceOf(ServiceException.class);
    }

    @Test
    void closedFileHoldsNoHistory() throws IOException {
        for (int i = 0; i < 300; i++) {
            store.compareAndSet(List.of(new Put("a", i, "x".repeat(1000))));
        }
        long before = Files.size(file);
        store.close();
        assertThat(Files.size(file))
                .as("bytes after a close, %d before", before)
                .isLessThan(before / 2);
        store = MvIpamStore.open(file);
    }
}
