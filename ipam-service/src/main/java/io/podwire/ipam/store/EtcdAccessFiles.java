package io.podwire.ipam.store;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Makes an {@link EtcdAccess} of options, and reads the files they name. Errors name the option, the file and what to
 * do, and nothing that is secret.
 *
 * @param endpoints --etcd-endpoints
 * @param caFile --etcd-ca-file, or {@link #NO_FILE}
 * @param certFile --etcd-cert-file, or {@link #NO_FILE}
 * @param keyFile --etcd-key-file, or {@link #NO_FILE}
 * @param user --etcd-user, or empty
 * @param passwordFile --etcd-password-file, or {@link #NO_FILE}
 */
public record EtcdAccessFiles(
        List<URI> endpoints, Path caFile, Path certFile, Path keyFile, String user, Path passwordFile) {
    /** An option that is not set. */
    public static final Path NO_FILE = Path.of("");

    private static final int MOST_PASSWORD_BYTES = 4096;
    private static final int MOST_FILE_BYTES = 1 << 20;
    private static final Pattern KEY =
            Pattern.compile("-----BEGIN ([A-Z ]*PRIVATE KEY)-----(.+?)-----END \\1-----", Pattern.DOTALL);

    /** Copies. */
    public EtcdAccessFiles {
        endpoints = List.copyOf(endpoints);
    }

    /**
     * Checks all of it together.
     *
     * @throws IllegalArgumentException naming the option that is wrong
     */
    public EtcdAccess read() {
        endpoints.forEach(EtcdAccessFiles::checkEndpoint);
        boolean tls =
                endpoints.stream().anyMatch(endpoint -> endpoint.getScheme().equals("https"));
        if (tls && !endpoints.stream().allMatch(endpoint -> endpoint.getScheme().equals("https"))) {
            throw new IllegalArgumentException(
                    "--etcd-endpoints must be all http:// or all https://, got " + endpoints);
        }
        together("--etcd-cert-file", isSet(certFile), "--etcd-key-file", isSet(keyFile));
        together("--etcd-user", !user.isEmpty(), "--etcd-password-file", isSet(passwordFile));
        if (!tls) {
            onlyWithTls("--etcd-ca-file", caFile);
            onlyWithTls("--etcd-cert-file", certFile);
        }
        if (!user.isEmpty() && !endpoints.stream().allMatch(EtcdAccess::isPrivate)) {
            throw new IllegalArgumentException("--etcd-user would send its password readable to " + endpoints
                    + "; use https:// in --etcd-endpoints (http:// is for loopback)");
        }
        return new EtcdAccess(endpoints, tls ? tls() : new EtcdAccess.Transport.Plain(), login());
    }

    private static void checkEndpoint(URI endpoint) {
        if (endpoint.getRawUserInfo() != null) {
            throw new IllegalArgumentException("--etcd-endpoints takes no user and password, got one for host "
                    + endpoint.getHost() + "; use --etcd-user and --etcd-password-file");
        }
        boolean known = "http".equals(endpoint.getScheme()) || "https".equals(endpoint.getScheme());
        boolean bare = "".equals(endpoint.getRawPath()) || "/".equals(endpoint.getRawPath());
        if (!known || !bare || endpoint.getHost() == null || endpoint.getPort() < 1) {
            throw new IllegalArgumentException(
                    "--etcd-endpoints takes http://HOST:PORT or https://HOST:PORT, got '" + endpoint + "'");
        }
    }

    private static void together(String one, boolean oneSet, String other, boolean otherSet) {
        if (oneSet != otherSet) {
            throw new IllegalArgumentException(
                    (oneSet ? one : other) + " is given without " + (oneSet ? other : one) + "; give both, or none");
        }
    }

    private void onlyWithTls(String option, Path file) {
        if (isSet(file)) {
            throw new IllegalArgumentException(
                    option + " is for https:// endpoints, and --etcd-endpoints is " + endpoints);
        }
    }

    private static boolean isSet(Path file) {
        return !file.equals(NO_FILE);
    }

    private EtcdAccess.Transport.Tls tls() {
        EtcdAccess.Transport.Tls tls = new EtcdAccess.Transport.Tls(
                isSet(caFile) ? certificates("--etcd-ca-file", caFile) : List.of(), identity());
        var _ = tls.context();
        return tls;
    }

    private EtcdAccess.Identity identity() {
        if (!isSet(certFile)) {
            return new EtcdAccess.Identity.Anonymous();
        }
        List<X509Certificate> chain = certificates("--etcd-cert-file", certFile);
        PrivateKey key = privateKey(chain.getFirst());
        return new EtcdAccess.Identity.Certificate(chain, key);
    }

    private EtcdAccess.Login login() {
        if (user.isEmpty()) {
            return new EtcdAccess.Login.None();
        }
        String password = content("--etcd-password-file", passwordFile, MOST_PASSWORD_BYTES)
                .replaceFirst("\\r?\\n\\z", "");
        if (password.isEmpty() || password.contains("\n")) {
            throw new IllegalArgumentException("--etcd-password-file " + passwordFile
                    + " must hold the password in one line, and holds " + (password.isEmpty() ? "nothing" : "several"));
        }
        return new EtcdAccess.Login.Password(user, password);
    }

    private static List<X509Certificate> certificates(String option, Path file) {
        String text = content(option, file, MOST_FILE_BYTES);
        try (InputStream in = new ByteArrayInputStream(text.getBytes(StandardCharsets.US_ASCII))) {
            List<X509Certificate> all = CertificateFactory.getInstance("X.509").generateCertificates(in).stream()
                    .map(X509Certificate.class::cast)
                    .toList();
            if (all.isEmpty()) {
                throw new IllegalArgumentException(
                        option + " " + file + " holds no certificate; it takes PEM, -----BEGIN CERTIFICATE-----");
            }
            return all;
        } catch (CertificateException | IOException e) {
            throw new IllegalArgumentException(
                    option + " " + file + " is not a file of certificates in PEM: " + e.getMessage(), e);
        }
    }

    private PrivateKey privateKey(X509Certificate certificate) {
        String where = "--etcd-key-file " + keyFile;
        Matcher pem = KEY.matcher(content("--etcd-key-file", keyFile, MOST_FILE_BYTES));
        if (!pem.find()) {
            throw new IllegalArgumentException(
                    where + " holds no private key; it takes PEM, -----BEGIN PRIVATE KEY-----");
        }
        if (!pem.group(1).equals("PRIVATE KEY")) {
            throw new IllegalArgumentException(where + " holds a key of the form " + pem.group(1)
                    + "; it takes PKCS #8 without a passphrase: openssl pkcs8 -topk8 -nocrypt -in " + keyFile);
        }
        String algorithm = certificate.getPublicKey().getAlgorithm();
        PrivateKey key;
        try {
            key = KeyFactory.getInstance(algorithm)
                    .generatePrivate(
                            new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(pem.group(2))));
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            // The cause's message may hold bytes of the key.
            throw new IllegalArgumentException(where + " is not a private key of the kind of --etcd-cert-file "
                    + certFile + ", " + algorithm + " in PKCS #8");
        }
        if (!fits(key, certificate)) {
            throw new IllegalArgumentException(where + " is not the key of --etcd-cert-file " + certFile + ", "
                    + certificate.getSubjectX500Principal() + "; name the two files that were made together");
        }
        return key;
    }

    private static boolean fits(PrivateKey key, X509Certificate certificate) {
        String algorithm = switch (key.getAlgorithm()) {
            case "RSA" -> "SHA256withRSA";
            case "EC" -> "SHA256withECDSA";
            default -> key.getAlgorithm();
        };
        try {
            Signature signature = Signature.getInstance(algorithm);
            byte[] sample = "sample".getBytes(StandardCharsets.US_ASCII);
            signature.initSign(key);
            signature.update(sample);
            byte[] signed = signature.sign();
            signature.initVerify(certificate.getPublicKey());
            signature.update(sample);
            return signature.verify(signed);
        } catch (GeneralSecurityException e) {
            return false;
        }
    }

    private static String content(String option, Path file, int mostBytes) {
        try {
            long size = Files.size(file);
            if (size > mostBytes) {
                throw new IllegalArgumentException(
                        option + " " + file + " may have " + mostBytes + " bytes, has " + size);
            }
            return Files.readString(file);
        } catch (NoSuchFileException e) {
            throw new IllegalArgumentException(option + " " + file + " does not exist", e);
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException(option + " " + file + " is not text");
        } catch (IOException e) {
            throw new IllegalArgumentException(option + " " + file + " cannot be read: " + e, e);
        }
    }
}
