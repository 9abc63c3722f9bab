package io.podwire.route.bgp.codec;

import io.podwire.route.bgp.Corpus;
import io.podwire.route.bgp.message.BgpMessage;
import io.podwire.route.bgp.message.BgpMessage.Reach;
import io.podwire.route.bgp.message.BgpMessage.Update;
import io.podwire.route.bgp.message.SessionFormat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * What the fuzzer calls: {@code make fuzz}. Whatever the octets, the decoder gives a message or a
 * {@link BgpProtocolException}; and a message without errors, written and read again, is the same.
 */
public final class BgpDecoderFuzz {
    private BgpDecoderFuzz() {}

    /** Writes the corpus of malformed messages as inputs, one file each, into the folder that is given. */
    public static void main(String[] arguments) throws IOException {
        Path folder = Files.createDirectories(Path.of(arguments[0]));
        for (Corpus.Case known : Corpus.all(Path.of(arguments[1]))) {
            byte[] message = known.octets().toArray();
            byte[] input = Arrays.copyOfRange(message, BgpMessage.HEADER - 1, message.length);
            input[0] = (byte) (message[18] << 2 | 3);
            Files.write(folder.resolve(known.name()), input);
        }
    }

    /**
     * One execution.
     *
     * @param input the format in the lowest bits of its first octet, the type of the message above them, then its body
     */
    public static void fuzzerTestOneInput(byte[] input) {
        if (input.length == 0 || input.length > BgpMessage.LONGEST - BgpMessage.HEADER) {
            return;
        }
        SessionFormat format = new SessionFormat((input[0] & 1) != 0, (input[0] & 2) != 0);
        byte[] wire = new byte[BgpMessage.HEADER + input.length - 1];
        Arrays.fill(wire, 0, 16, (byte) 0xFF);
        wire[16] = (byte) (wire.length >> 8);
        wire[17] = (byte) wire.length;
        wire[18] = (byte) ((input[0] & 0xFF) >> 2);
        System.arraycopy(input, 1, wire, BgpMessage.HEADER, input.length - 1);
        try {
            Decoded first = BgpDecoder.decode(wire, format);
            if (first.errors().isEmpty()) {
                again(first.message(), format);
            }
        } catch (BgpProtocolException e) {
            // The one way to say no.
            byte[] answer = BgpEncoder.encode(e.answer(), format);
            if (answer.length > BgpMessage.LONGEST) {
                throw new AssertionError("an answer of " + answer.length + " octets", e);
            }
        }
    }

    private static void again(BgpMessage message, SessionFormat format) {
        try {
            if (message instanceof Update update) {
                for (Reach reach : update.reach()) {
                    for (byte[] wire : BgpEncoder.reach(update.attributes(), reach, format, BgpEncoder.NO_PATH)) {
                        Update back = (Update) BgpDecoder.decode(wire, format).message();
                        require(update.attributes().equals(back.attributes()), update, back);
                    }
                }
            } else {
                BgpMessage back = BgpDecoder.decode(BgpEncoder.encode(message, format), format)
                        .message();
                require(message.equals(back), message, back);
            }
        } catch (BgpProtocolException e) {
            throw new AssertionError("what was understood cannot be written: " + message, e);
        }
    }

    private static void require(boolean holds, BgpMessage message, BgpMessage back) {
        if (!holds) {
            throw new AssertionError(message + " came back as " + back);
        }
    }
}
