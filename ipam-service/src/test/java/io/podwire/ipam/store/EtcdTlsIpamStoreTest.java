package io.podwire.ipam.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.etcd.jetcd.Auth;
import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.auth.Permission;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.ipam.store.Change.Put;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** etcd behind TLS with client certificates and its own users; ours may touch nothing but its prefix. */
class EtcdTlsIpamStoreTest extends IpamStoreContract {
    private static final Duration TIMEOUT = Duration.ofSeconds(5);
    /** A connection that does not come about is waited for that long. */
    private static final Duration SHORT = Duration.ofSeconds(1);

    private static final AtomicInteger TESTS = new AtomicInteger();
    private static final String ALLOWED = "/allowed/";

    @TempDir
    private static Path dir;

    private static TestAuthority authority;
    private static TestAuthority.Files client;
    private static EtcdServer etcd;

    private String prefix;
    private EtcdIpamStore store;

    @BeforeAll
    static void start() throws Exception {
        authority = TestAuthority.create(dir.resolve("authority"));
        client = authority.issue("ipam-service");
        etcd = EtcdServer.startTls(dir, authority);
        EtcdAccess certificateOnly = authority.access(etcd.endpoint(), "operator");
        if (!(certificateOnly.transport() instanceof EtcdAccess.Transport.Tls tls)) {
            throw new AssertionError(certificateOnly);
        }
        try (Client operator = Client.builder()
                .endpoints(etcd.endpoint())
                .sslContext(tls.context())
                .build()) {
            Auth auth = operator.getAuthClient();
            auth.userAdd(bytes("root"), bytes("root-pass")).get();
            auth.roleAdd(bytes("root")).get();
            auth.userGrantRole(bytes("root"), bytes("root")).get();
            auth.userAdd(bytes("podwire"), bytes("pass")).get();
            auth.roleAdd(bytes("podwire")).get();
            // The end of a range is its prefix with the last byte one higher: '0' follows '/'.
            auth.roleGrantPermission(bytes("podwire"), bytes(ALLOWED), bytes("/allowed0"), Permission.Type.READWRITE)
                    .get();
            auth.userGrantRole(bytes("podwire"), bytes("podwire")).get();
            auth.authEnable().get();
        }
        etcd.use(access("podwire", "pass"), ALLOWED);
    }

    @AfterAll
    static void stop() {
        if (etcd != null) {
            etcd.close();
        }
    }

    @BeforeEach
    void connect() {
        prefix = ALLOWED + "test-" + TESTS.incrementAndGet() + "/";
        store = etcd.connect(prefix, TIMEOUT);
    }

    @AfterEach
    void close() {
        store.close();
    }

    @Override
    IpamStore store() {
        return store;
    }

    private static EtcdAccess access(String user, String password) throws Exception {
        Path file = Files.writeString(dir.resolve("password"), password + "\n");
        return new EtcdAccessFiles(
                        List.of(etcd.endpoint()),
                        authority.certificate(),
                        client.certificate(),
                        client.key(),
                        user,
                        file)
                .read();
    }

    private static ByteSequence bytes(String text) {
        return ByteSequence.from(text, StandardCharsets.UTF_8);
    }

    private static void assertRefused(EtcdAccess access, String prefix, String... why) {
        try (EtcdIpamStore refused = EtcdIpamStore.connect(access, prefix, SHORT)) {
            assertThatThrownBy(refused::load)
                    .isInstanceOfSatisfying(
                            ServiceException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.UNAVAILABLE))
                    .hasMessageContainingAll(why);
            assertThat(refused.connected()).isFalse();
        }
    }

    @Test
    void otherKeysAreDenied() throws Exception {
        assertRefused(access("podwire", "pass"), "/other/", "permission denied");
        try (EtcdIpamStore other = EtcdIpamStore.connect(access("podwire", "pass"), "/other/", TIMEOUT)) {
            List<Change> write = List.of(new Put("a", 0, "x"));
            assertThatThrownBy(() -> other.compareAndSet(write)).hasMessageContaining("permission denied");
        }
    }

    @Test
    void wrongPasswordIsTold() throws Exception {
        assertRefused(access("podwire", "wrong"), prefix, "invalid user ID or password");
    }

    @Test
    void clientWithoutCertificateIsRefused() {
        EtcdAccess access = new EtcdAccessFiles(
                        List.of(etcd.endpoint()),
                        authority.certificate(),
                        EtcdAccessFiles.NO_FILE,
                        EtcdAccessFiles.NO_FILE,
                        "",
                        EtcdAccessFiles.NO_FILE)
                .read();
        assertRefused(access, prefix, "bad_certificate");
    }

    @Test
    void memberOfAnotherAuthorityIsNotTrusted() throws Exception {
        TestAuthority other = TestAuthority.create(dir.resolve("other"));
        assertRefused(
                other.access(etcd.endpoint(), "test"), prefix, "Path does not chain with any of the trust anchors");
    }

    @Test
    void memberWhoseCertificateNamesAnotherHostIsNotTrusted() throws Exception {
        URI byName = URI.create("https://localhost:" + etcd.endpoint().getPort());
        assertRefused(authority.access(byName, "test"), prefix, "No name matching localhost");
    }

    @Test
    void restartedEtcdThatForgotTheTokenIsLoggedInToAgain() throws Exception {
        store.compareAndSet(List.of(new Put("a", 0, "x")));
        List<Entry> before = store.load();
        etcd.kill();
        etcd.start();
        await("the same client comes back").atMost(Duration.ofSeconds(20)).until(store::connected);
        await("and is logged in")
                .atMost(Duration.ofSeconds(20))
                .untilAsserted(() -> assertThat(store.load()).isEqualTo(before));
        assertThat(store.compareAndSet(List.of(new Put("b", 0, "y")))).isInstanceOf(Outcome.Applied.class);
    }
}
