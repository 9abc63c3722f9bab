package io.podwire.route.bgp;

import io.podwire.route.bgp.message.Bytes;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The malformed messages of corpus/bgp. */
public final class Corpus {
    private Corpus() {}

    /**
     * One file.
     *
     * @param name what is wrong
     * @param expect "ok", "discard", "withdraw", or "reset CODE/SUBCODE"
     * @param octets the message
     */
    public record Case(String name, String expect, Bytes octets) {
        @Override
        public String toString() {
            return name;
        }
    }

    /** All of them, between speakers of one AS with AS numbers of four octets. */
    public static List<Case> all() {
        return all(Path.of("src/test/resources/corpus/bgp"));
    }

    /** All of a folder. */
    public static List<Case> all(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().map(Corpus::read).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Case read(Path file) {
        try {
            List<String> lines = Files.readAllLines(file);
            String expect = lines.stream()
                    .filter(line -> line.startsWith("# expect: "))
                    .map(line -> line.substring("# expect: ".length()))
                    .findFirst()
                    .orElseThrow();
            String hex = lines.stream().filter(line -> !line.startsWith("#")).collect(Collectors.joining());
            String name = file.getFileName().toString().replaceFirst("\\.hex$", "");
            return new Case(name, expect, Bytes.of(HexFormat.of().parseHex(hex)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
