package io.podwire.route.bgp.codec;

import io.podwire.route.bgp.message.BgpMessage.Notification;
import io.podwire.route.bgp.message.Bytes;
import java.io.Serial;

/** A message that ends its session. */
public final class BgpProtocolException extends Exception {
    @Serial
    private static final long serialVersionUID = 1L;

    private final transient Notification answer;

    /**
     * What is wrong.
     *
     * @param code of the answer
     * @param subcode of the answer
     * @param data of the answer
     * @param reason in words
     */
    BgpProtocolException(int code, int subcode, Bytes data, String reason) {
        super(reason);
        this.answer = new Notification(code, subcode, data);
    }

    /** One whose answer has no data. */
    BgpProtocolException(int code, int subcode, String reason) {
        this(code, subcode, Bytes.EMPTY, reason);
    }

    /** What the peer is told: RFC 4271 §6. */
    public Notification answer() {
        return answer;
    }
}
