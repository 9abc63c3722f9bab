package io.podwire.ipam.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.ipam.store.Change.Put;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

class EtcdIpamStoreTest extends IpamStoreContract {
    private static final Duration TIMEOUT = Duration.ofSeconds(5);

    @RegisterExtension
    static final EtcdExtension ETCD = new EtcdExtension();

    private String prefix;
    private EtcdIpamStore store;

    @BeforeEach
    void connect() {
        prefix = ETCD.newPrefix();
        store = ETCD.server().connect(prefix, TIMEOUT);
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
    void otherPrefixesAreInvisible() {
        store.compareAndSet(List.of(new Put("a", 0, "x")));
        String shorter = prefix.substring(0, prefix.length() - 1);
        try (EtcdIpamStore other = ETCD.server().connect(shorter + "0/", TIMEOUT)) {
            assertThat(other.load()).isEmpty();
            assertThat(other.compareAndSet(List.of(new Put("a", 0, "y")))).isInstanceOf(Outcome.Applied.class);
        }
        assertThat(store.load()).singleElement().extracting(Entry::value).isEqualTo("x");
    }

    @Test
    void killedEtcdKeepsWhatWasAnswered() throws IOException {
        store.compareAndSet(List.of(new Put("a", 0, "x")));
        List<Entry> before = store.load();
        try (EtcdIpamStore impatient = ETCD.server().connect(prefix, Duration.ofMillis(500))) {
            await().until(impatient::connected);
            ETCD.server().kill();
            await("the store notices").until(() -> !impatient.connected());
            ETCD.server().start();
            await("the same client comes back").atMost(Duration.ofSeconds(20)).until(impatient::connected);
            assertThat(impatient.load()).isEqualTo(before);
        }
    }

    @Test
    void lostAnswerIsUnknownAndARepeatAppliesOnce() throws Exception {
        try (EtcdIpamStore impatient = ETCD.server().connect(prefix, Duration.ofMillis(300))) {
            await().until(impatient::connected);
            ETCD.server().stopRunning();
            List<Change> write = List.of(new Put("a", 0, "x"));
            try {
                assertThat(impatient.compareAndSet(write)).isEqualTo(new Outcome.Unknown());
                assertThatThrownBy(impatient::revision).isInstanceOf(ServiceException.class);
                assertThatThrownBy(impatient::load)
                        .isInstanceOfSatisfying(
                                ServiceException.class,
                                e -> assertThat(e.reason()).isEqualTo(ErrorReason.UNAVAILABLE));
            } finally {
                ETCD.server().goOn();
            }
            await().until(() -> store.connected());
            Outcome repeat = store.compareAndSet(write);
            List<Entry> entries = store.load();
            assertThat(entries).as("after the repeat, which was %s", repeat).hasSize(1);
            assertThat(store.compareAndSet(
                            List.of(new Put("a", entries.getFirst().version(), "y"))))
                    .isInstanceOf(Outcome.Applied.class);
            assertThat(store.load()).singleElement().extracting(Entry::value).isEqualTo("y");
        }
    }

    @Test
    void fullEtcdRefusesAndReadsGoOn(@TempDir Path fullDir) throws IOException {
        Files.createDirectories(fullDir);
        try (EtcdServer full = EtcdServer.start(fullDir, "--quota-backend-bytes", "100000");
                EtcdIpamStore store = full.connect("/full/", TIMEOUT)) {
            String big = "x".repeat(20_000);
            ServiceException refused = null;
            int written = 0;
            while (refused == null && written < 2000) {
                try {
                    assertThat(store.compareAndSet(List.of(new Put("key-" + written, 0, big))))
                            .isInstanceOf(Outcome.Applied.class);
                    written++;
                } catch (ServiceException e) {
                    refused = e;
                }
            }
            assertThat(refused).as("refused after %d writes", written).isNotNull();
            assertThat(refused.reason()).isEqualTo(ErrorReason.UNAVAILABLE);
            assertThat(refused).hasMessageContaining("space exceeded");
            // etcd applies the write that crosses the quota and refuses it all the same (its apply-time quota
            // check answers after the write); later ones are refused before. So one more may be there.
            int there = store.load().size();
            assertThat(there).as("reads go on").isBetween(written, written + 1);
            assertThatThrownBy(() -> store.compareAndSet(List.of(new Put("key-late", 0, big))))
                    .isInstanceOf(ServiceException.class);
            assertThat(store.load()).as("a refused write changes nothing").hasSize(there);
        }
    }
}
