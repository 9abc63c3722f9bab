package io.podwire.node.netlink.rt;

import io.podwire.node.netlink.wire.NlMessage;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** Messages of a real kernel: a file in resources/netlink, in sections, one message a line in hex. */
final class Captured {
    private Captured() {}

    static <T> List<T> decoded(String file, String section, Function<NlMessage, Optional<T>> decoder) {
        return resource(file)
                .lines()
                .dropWhile(line -> !line.equals("== " + section))
                .skip(1)
                .takeWhile(line -> !line.startsWith("=="))
                .filter(line -> !line.startsWith("#"))
                .map(hex -> decoder.apply(
                        NlMessage.take(ByteBuffer.wrap(HexFormat.of().parseHex(hex)))))
                .flatMap(Optional::stream)
                .toList();
    }

    private static String resource(String file) {
        try (InputStream in = Captured.class.getResourceAsStream("/netlink/" + file)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
