package io.podwire.route.bgp.codec;

import io.podwire.common.testing.Seeds;
import io.podwire.route.bgp.Corpus;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** A short run of what {@code make fuzz} runs for long: the same entrance, and mutations of the same messages. */
class BgpDecoderFuzzTest {
    private static final int HEADER_BEFORE_TYPE = 18;

    @Test
    void aShortRunFindsNothing() {
        List<byte[]> inputs = new ArrayList<>();
        for (Corpus.Case known : Corpus.all()) {
            byte[] message = known.octets().toArray();
            byte[] input = Arrays.copyOfRange(message, HEADER_BEFORE_TYPE, message.length);
            inputs.add(input);
        }
        Seeds.forEach(BgpDecoderFuzzTest.class, 200, random -> {
            for (byte[] known : inputs) {
                byte[] input = mutated(random, known);
                // The type above two bits of format.
                input[0] = (byte)
                        ((random.nextInt(8) == 0 ? random.nextInt(64) : known[0] & 0x3F) << 2 | random.nextInt(4));
                BgpDecoderFuzz.fuzzerTestOneInput(input);
            }
        });
    }

    private static byte[] mutated(RandomGenerator random, byte[] known) {
        byte[] out = Arrays.copyOf(known, Math.max(1, known.length + random.nextInt(-3, 6)));
        for (int i = random.nextInt(6); i > 0; i--) {
            int at = random.nextInt(out.length);
            out[at] = (byte) (random.nextBoolean() ? random.nextInt(256) : out[at] + random.nextInt(-2, 3));
        }
        if (out.length > 8 && random.nextInt(4) == 0) {
            int from = random.nextInt(out.length - 4);
            int to = random.nextInt(out.length - 4);
            System.arraycopy(known.length > from + 4 ? known : out, from, out, to, 4);
        }
        return out;
    }
}
