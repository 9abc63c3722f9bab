package io.podwire.ipam.store;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A certificate authority of a test, by openssl.
 *
 * @param dir where it keeps everything
 */
public record TestAuthority(Path dir) {
    /** A certificate and its key, in PEM. */
    public record Files(Path certificate, Path key) {}

    /** A new authority. */
    public static TestAuthority create(Path dir) throws IOException {
        TestAuthority authority = new TestAuthority(java.nio.file.Files.createDirectories(dir));
        authority.openssl(
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=test authority",
                "-keyout",
                "ca.key",
                "-out",
                "ca.pem");
        return authority;
    }

    /** Its own certificate. */
    public Path certificate() {
        return dir.resolve("ca.pem");
    }

    /** A certificate for a name, with these further lines of openssl's extensions. */
    public Files issue(String commonName, String... extensions) throws IOException {
        List<String> request = new ArrayList<>(List.of(
                "req",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-subj",
                "/CN=" + commonName,
                "-keyout",
                commonName + ".key",
                "-out",
                commonName + ".csr"));
        for (String extension : extensions) {
            request.addAll(List.of("-addext", extension));
        }
        openssl(request.toArray(String[]::new));
        openssl(
                "x509",
                "-req",
                "-in",
                commonName + ".csr",
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-CAcreateserial",
                "-days",
                "2",
                "-copy_extensions",
                "copy",
                "-out",
                commonName + ".pem");
        return new Files(dir.resolve(commonName + ".pem"), dir.resolve(commonName + ".key"));
    }

    /** Access with a new certificate of this name, without a user. */
    EtcdAccess access(URI endpoint, String commonName) throws IOException {
        Files own = issue(commonName);
        return new EtcdAccessFiles(
                        List.of(endpoint), certificate(), own.certificate(), own.key(), "", EtcdAccessFiles.NO_FILE)
                .read();
    }

    /** Runs openssl in the authority's folder. */
    public void openssl(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("openssl"));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
                .directory(dir.toFile())
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (process.waitFor() != 0) {
                throw new IOException(String.join(" ", command) + ": " + said);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(e);
        }
    }
}
