package io.podwire.ipam.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.ipam.store.EtcdAccess.Identity;
import io.podwire.ipam.store.EtcdAccess.Login;
import io.podwire.ipam.store.EtcdAccess.Transport;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EtcdAccessFilesTest {
    private static final Path NONE = EtcdAccessFiles.NO_FILE;
    private static final List<URI> HTTP = List.of(URI.create("http://10.0.0.1:2379"));
    private static final List<URI> HTTPS = List.of(URI.create("https://10.0.0.1:2379"));

    @TempDir
    private static Path dir;

    private static TestAuthority authority;
    private static TestAuthority.Files own;
    private static Path password;

    @BeforeAll
    static void issue() throws IOException {
        authority = TestAuthority.create(dir);
        own = authority.issue("own");
        password = write("password", "se cret\r\n");
    }

    private static Path write(String name, String content) throws IOException {
        return Files.writeString(dir.resolve(name), content);
    }

    private static EtcdAccess read(List<URI> endpoints, Path ca, Path cert, Path key, String user, Path password) {
        return new EtcdAccessFiles(endpoints, ca, cert, key, user, password).read();
    }

    private static EtcdAccess withKey(Path cert, Path key) {
        return read(HTTPS, NONE, cert, key, "", NONE);
    }

    private static EtcdAccess withEndpoints(String... endpoints) {
        return read(List.of(endpoints).stream().map(URI::create).toList(), NONE, NONE, NONE, "", NONE);
    }

    @Test
    void nothingButEndpointsIsPlain() {
        assertThat(withEndpoints("http://a:1", "http://b:2/").transport()).isEqualTo(new Transport.Plain());
        assertThat(withEndpoints("https://a:1").transport())
                .isEqualTo(new Transport.Tls(List.of(), new Identity.Anonymous()));
    }

    @Test
    void allOfItIsTakenAndNothingSecretIsShown() {
        EtcdAccess access = read(HTTPS, authority.certificate(), own.certificate(), own.key(), "podwire", password);
        assertThat(access.login()).isEqualTo(new Login.Password("podwire", "se cret"));
        assertThat(access.login().toString()).isEqualTo("podwire");
        assertThat(access.transport()).isInstanceOfSatisfying(Transport.Tls.class, tls -> {
            assertThat(tls.authorities()).hasSize(1);
            assertThat(tls.identity()).asString().isEqualTo("CN=own");
        });
    }

    @Test
    void rsaAndEd25519KeysAreTaken() throws IOException {
        for (String algorithm : List.of("rsa:2048", "ed25519")) {
            String name = algorithm.replaceFirst(":.*", "");
            authority.openssl(
                    "req",
                    "-x509",
                    "-newkey",
                    algorithm,
                    "-nodes",
                    "-subj",
                    "/CN=" + name,
                    "-keyout",
                    name + ".key",
                    "-out",
                    name + ".pem");
            assertThat(withKey(dir.resolve(name + ".pem"), dir.resolve(name + ".key"))
                            .transport())
                    .isInstanceOf(Transport.Tls.class);
        }
    }

    @Test
    void endpointsAreOfOneKind() {
        assertThatThrownBy(() -> withEndpoints("http://a:1", "https://b:2"))
                .hasMessage("--etcd-endpoints must be all http:// or all https://, got [http://a:1, https://b:2]");
        assertThatThrownBy(() -> withEndpoints("https://a:1/x")).hasMessageContaining("--etcd-endpoints takes");
        assertThatThrownBy(() -> withEndpoints("https://root:hidden@a:1"))
                .hasMessageContainingAll("--etcd-password-file", "host a")
                .hasMessageNotContaining("hidden");
    }

    @Test
    void halvesAreRefused() {
        assertThatThrownBy(() -> withKey(own.certificate(), NONE))
                .hasMessage("--etcd-cert-file is given without --etcd-key-file; give both, or none");
        assertThatThrownBy(() -> withKey(NONE, own.key()))
                .hasMessage("--etcd-key-file is given without --etcd-cert-file; give both, or none");
        assertThatThrownBy(() -> read(HTTPS, NONE, NONE, NONE, "podwire", NONE))
                .hasMessage("--etcd-user is given without --etcd-password-file; give both, or none");
        assertThatThrownBy(() -> read(HTTPS, NONE, NONE, NONE, "", password))
                .hasMessage("--etcd-password-file is given without --etcd-user; give both, or none");
    }

    @Test
    void filesOfTlsWithoutTlsAreRefused() {
        assertThatThrownBy(() -> read(HTTP, authority.certificate(), NONE, NONE, "", NONE))
                .hasMessageContainingAll("--etcd-ca-file is for https://", "http://10.0.0.1:2379");
        assertThatThrownBy(() -> read(HTTP, NONE, own.certificate(), own.key(), "", NONE))
                .hasMessageContaining("--etcd-cert-file is for https://");
    }

    @Test
    void passwordIsSentReadableOnLoopbackOnly() {
        assertThatThrownBy(() -> read(HTTP, NONE, NONE, NONE, "podwire", password))
                .hasMessageContainingAll("--etcd-user", "https://");
        for (String local : List.of("http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1")) {
            assertThat(read(List.of(URI.create(local)), NONE, NONE, NONE, "podwire", password)
                            .login())
                    .isInstanceOf(Login.Password.class);
        }
    }

    @Test
    void filesThatAreNotWhatTheyShouldBeAreNamed() throws IOException {
        Path missing = dir.resolve("missing");
        assertThatThrownBy(() -> read(HTTPS, missing, NONE, NONE, "", NONE))
                .hasMessage("--etcd-ca-file " + missing + " does not exist");
        assertThatThrownBy(() -> read(HTTPS, own.key(), NONE, NONE, "", NONE))
                .hasMessageContaining("--etcd-ca-file " + own.key());
        assertThatThrownBy(() -> read(HTTPS, write("empty", ""), NONE, NONE, "", NONE))
                .hasMessageContaining("no certificate");
        assertThatThrownBy(() -> withKey(own.certificate(), own.certificate())).hasMessageContaining("no private key");
        Path huge = write("huge", "x".repeat(5000));
        assertThatThrownBy(() -> read(HTTPS, NONE, NONE, NONE, "podwire", huge))
                .hasMessage("--etcd-password-file " + huge + " may have 4096 bytes, has 5000");
        Path lines = write("lines", "one\ntwo\n");
        assertThatThrownBy(() -> read(HTTPS, NONE, NONE, NONE, "podwire", lines))
                .hasMessageContaining("holds several")
                .hasMessageNotContaining("two");
        Path blank = write("blank", "\n");
        assertThatThrownBy(() -> read(HTTPS, NONE, NONE, NONE, "podwire", blank))
                .hasMessageContaining("holds nothing");
        byte[] noise = new byte[100];
        new Random(1).nextBytes(noise);
        Path binary = Files.write(dir.resolve("binary"), noise);
        assertThatThrownBy(() -> withKey(own.certificate(), binary)).hasMessageContaining("is not text");
    }

    @Test
    void keysOfOtherFormsOrOwnersAreRefused() throws IOException {
        authority.openssl("pkcs8", "-in", "own.key", "-traditional", "-nocrypt", "-out", "sec1.key");
        assertThatThrownBy(() -> withKey(own.certificate(), dir.resolve("sec1.key")))
                .hasMessageContainingAll("EC PRIVATE KEY", "openssl pkcs8 -topk8 -nocrypt");
        authority.openssl("pkcs8", "-topk8", "-in", "own.key", "-passout", "pass:x", "-out", "encrypted.key");
        assertThatThrownBy(() -> withKey(own.certificate(), dir.resolve("encrypted.key")))
                .hasMessageContaining("ENCRYPTED PRIVATE KEY");
        TestAuthority.Files other = authority.issue("other");
        assertThatThrownBy(() -> withKey(own.certificate(), other.key()))
                .hasMessageContainingAll("is not the key of --etcd-cert-file", "CN=own");
        Path broken = write("broken.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
        assertThatThrownBy(() -> withKey(own.certificate(), broken))
                .hasMessageContaining("is not a private key of the kind of --etcd-cert-file");
    }
}
