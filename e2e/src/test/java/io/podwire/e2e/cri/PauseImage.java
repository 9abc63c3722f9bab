package io.podwire.e2e.cri;

import io.podwire.e2e.mesh.Shell;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;

/** The image of a sandbox's first process, made here: one static program that waits for its end. */
final class PauseImage {
    static final String NAME = "registry.local/pause:1";

    private static final int BLOCK = 512;
    private static final String SOURCE = """
            #include <signal.h>
            #include <unistd.h>
            static void end(int signal) { (void)signal; _exit(0); }
            int main(void) {
                signal(SIGTERM, end);
                signal(SIGINT, end);
                for (;;) {
                    pause();
                }
            }
            """;

    private PauseImage() {}

    /** Writes the image as a docker-archive: a tar of manifest, configuration and one layer. */
    static Path write(Path folder) throws IOException {
        Path source = Files.writeString(folder.resolve("pause.c"), SOURCE);
        Path program = folder.resolve("pause");
        var _ = Shell.output("gcc", "-static", "-Os", "-s", "-o", program.toString(), source.toString());
        byte[] layer = tar(Map.of("pause", Files.readAllBytes(program)));
        String config = """
                {"architecture":"amd64","os":"linux","config":{"Entrypoint":["/pause"]},\
                "rootfs":{"type":"layers","diff_ids":["sha256:%s"]},\
                "history":[{"created":"2026-01-01T00:00:00Z"}]}""".formatted(sha256(layer));
        byte[] configBytes = config.getBytes(StandardCharsets.UTF_8);
        String configName = sha256(configBytes) + ".json";
        String manifest = """
                [{"Config":"%s","RepoTags":["%s"],"Layers":["layer.tar"]}]""".formatted(configName, NAME);
        return Files.write(
                folder.resolve("pause.tar"),
                tar(Map.of(
                        "manifest.json",
                        manifest.getBytes(StandardCharsets.UTF_8),
                        configName,
                        configBytes,
                        "layer.tar",
                        layer)));
    }

    /** A tar of regular files by name, in the ustar format (POSIX.1-2017, pax, "ustar Interchange Format"). */
    private static byte[] tar(Map<String, byte[]> files) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        files.forEach((name, content) -> {
            out.writeBytes(header(name, content.length));
            out.writeBytes(content);
            out.writeBytes(new byte[Math.floorMod(-content.length, BLOCK)]);
        });
        out.writeBytes(new byte[2 * BLOCK]);
        return out.toByteArray();
    }

    private static byte[] header(String name, int length) {
        byte[] header = new byte[BLOCK];
        put(header, 0, name);
        put(header, 100, "%07o".formatted(0755));
        put(header, 108, "%07o".formatted(0));
        put(header, 116, "%07o".formatted(0));
        put(header, 124, "%011o".formatted(length));
        put(header, 136, "%011o".formatted(0));
        put(header, 148, "        "); // the checksum counts as spaces in itself
        put(header, 156, "0");
        put(header, 257, "ustar\00000");
        int sum = 0;
        for (byte b : header) {
            sum += b & 0xff;
        }
        put(header, 148, "%06o\0 ".formatted(sum));
        return header;
    }

    private static void put(byte[] header, int at, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(bytes, 0, header, at, bytes.length);
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
