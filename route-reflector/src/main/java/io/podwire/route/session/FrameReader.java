package io.podwire.route.session;

import io.podwire.route.bgp.codec.BgpDecoder;
import io.podwire.route.bgp.codec.BgpProtocolException;
import io.podwire.route.bgp.message.BgpMessage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Cuts a stream of octets into messages. Keeps less than one message; owned by its connection. */
final class FrameReader {
    private final byte[] pending = new byte[BgpMessage.LONGEST];
    private int held;

    /**
     * What was cut.
     *
     * @param messages whole ones, in order
     * @param end why nothing follows them, where what follows is no message
     */
    record Frames(List<byte[]> messages, List<BgpProtocolException> end) {}

    /** Takes the next octets of the stream. */
    Frames feed(byte[] chunk) {
        List<byte[]> messages = new ArrayList<>();
        int at = 0;
        try {
            while (true) {
                at += fill(chunk, at, BgpMessage.HEADER);
                if (held < BgpMessage.HEADER) {
                    break;
                }
                int length = BgpDecoder.messageLength(pending);
                at += fill(chunk, at, length);
                if (held < length) {
                    break;
                }
                messages.add(Arrays.copyOf(pending, length));
                held = 0;
            }
            return new Frames(messages, List.of());
        } catch (BgpProtocolException e) {
            return new Frames(messages, List.of(e));
        }
    }

    private int fill(byte[] chunk, int at, int wanted) {
        int taken = Math.max(0, Math.min(wanted - held, chunk.length - at));
        System.arraycopy(chunk, at, pending, held, taken);
        held += taken;
        return taken;
    }
}
