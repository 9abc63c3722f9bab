package io.podwire.route.bgp.codec;

import static io.podwire.route.bgp.message.NotificationCodes.BAD_IDENTIFIER;
import static io.podwire.route.bgp.message.NotificationCodes.BAD_LENGTH;
import static io.podwire.route.bgp.message.NotificationCodes.BAD_PARAMETER;
import static io.podwire.route.bgp.message.NotificationCodes.BAD_PEER_AS;
import static io.podwire.route.bgp.message.NotificationCodes.BAD_TYPE;
import static io.podwire.route.bgp.message.NotificationCodes.BAD_VERSION;
import static io.podwire.route.bgp.message.NotificationCodes.HEADER;
import static io.podwire.route.bgp.message.NotificationCodes.NOT_SYNCHRONIZED;
import static io.podwire.route.bgp.message.NotificationCodes.OPEN;
import static io.podwire.route.bgp.message.NotificationCodes.OPEN_UNSPECIFIC;

import io.podwire.common.net.IpAddress;
import io.podwire.route.bgp.message.BgpMessage;
import io.podwire.route.bgp.message.BgpMessage.Keepalive;
import io.podwire.route.bgp.message.BgpMessage.Notification;
import io.podwire.route.bgp.message.BgpMessage.Open;
import io.podwire.route.bgp.message.BgpMessage.RouteRefresh;
import io.podwire.route.bgp.message.Bytes;
import io.podwire.route.bgp.message.Capability;
import io.podwire.route.bgp.message.SessionFormat;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads messages. Total: whatever the octets, the result is a message or a {@link BgpProtocolException},
 * nothing else.
 */
public final class BgpDecoder {
    private static final int PARAMETER_CAPABILITIES = 2;
    private static final int EXTENDED_PARAMETERS = 255;

    private BgpDecoder() {}

    /**
     * Length of the message that begins with this header, 19 to 4096.
     *
     * @param header 19 octets or more
     * @throws BgpProtocolException when no message begins so
     */
    public static int messageLength(byte[] header) throws BgpProtocolException {
        for (int i = 0; i < 16; i++) {
            if (header[i] != (byte) 0xFF) {
                throw new BgpProtocolException(HEADER, NOT_SYNCHRONIZED, "octet " + i + " of the marker is not 255");
            }
        }
        int length = (header[16] & 0xFF) << 8 | (header[17] & 0xFF);
        int type = header[18] & 0xFF;
        int least = switch (type) {
            case 1 -> 29;
            case 2 -> 23;
            case 3 -> 21;
            case 5 -> 23;
            default -> BgpMessage.HEADER;
        };
        // RFC 4271 §6.1: each type has its least length, a KEEPALIVE exactly one.
        if (length < least
                || length > BgpMessage.LONGEST
                || (type == 4 && length != BgpMessage.HEADER)
                || (type == 5 && length != 23)) {
            throw new BgpProtocolException(
                    HEADER,
                    BAD_LENGTH,
                    Bytes.of(header[16], header[17]),
                    "a message of type " + type + " cannot have " + length + " octets");
        }
        return length;
    }

    /**
     * Reads one message.
     *
     * @param message all of its octets, header included
     * @param format what the two speakers agreed on
     * @throws BgpProtocolException when it ends the session
     */
    public static Decoded decode(byte[] message, SessionFormat format) throws BgpProtocolException {
        if (message.length < BgpMessage.HEADER || messageLength(message) != message.length) {
            throw new BgpProtocolException(HEADER, BAD_LENGTH, "length and octets differ: " + message.length);
        }
        Slice body = new Slice(message, BgpMessage.HEADER, message.length);
        int type = message[18] & 0xFF;
        try {
            return switch (type) {
                case 1 -> Decoded.of(open(body));
                case 2 -> UpdateDecoder.decode(body, format);
                case 3 -> Decoded.of(new Notification(body.u8(), body.u8(), body.rest()));
                case 4 -> Decoded.of(new Keepalive());
                case 5 -> Decoded.of(refresh(body));
                default ->
                    throw new BgpProtocolException(
                            HEADER, BAD_TYPE, Bytes.of((byte) type), "no message has type " + type);
            };
        } catch (Slice.ShortException e) {
            // The least lengths are checked above: only an OPEN's parts can be longer than the whole.
            throw new BgpProtocolException(OPEN, OPEN_UNSPECIFIC, "message of type " + type + ": " + e.getMessage());
        }
    }

    private static RouteRefresh refresh(Slice body) throws Slice.ShortException {
        int afi = body.u16();
        // RFC 7313 gives the octet between a meaning that must be agreed on first.
        var _ = body.u8();
        return new RouteRefresh(afi, body.u8());
    }

    private static Open open(Slice body) throws BgpProtocolException, Slice.ShortException {
        int version = body.u8();
        if (version != 4) {
            throw new BgpProtocolException(OPEN, BAD_VERSION, Bytes.of((byte) 0, (byte) 4), "version " + version);
        }
        long asn = body.u16();
        int holdSeconds = body.u16();
        IpAddress identifier = body.v4();
        if (identifier.low() == 0) {
            throw new BgpProtocolException(OPEN, BAD_IDENTIFIER, "BGP identifier 0.0.0.0");
        }
        int parametersLength = body.u8();
        boolean extended = false;
        if (parametersLength == EXTENDED_PARAMETERS && body.left() >= 3 && body.left() != EXTENDED_PARAMETERS) {
            // RFC 9072: type 255 and two octets of length follow.
            if (body.u8() != EXTENDED_PARAMETERS) {
                throw new BgpProtocolException(OPEN, OPEN_UNSPECIFIC, "parameters of 255 octets end early");
            }
            extended = true;
            parametersLength = body.u16();
        }
        if (parametersLength != body.left()) {
            throw new BgpProtocolException(
                    OPEN,
                    OPEN_UNSPECIFIC,
                    "parameters of " + parametersLength + " octets in " + body.left() + " octets");
        }
        List<Capability> capabilities = new ArrayList<>();
        while (!body.isEmpty()) {
            int parameter = body.u8();
            Slice value = body.take(extended ? body.u16() : body.u8());
            if (parameter != PARAMETER_CAPABILITIES) {
                throw new BgpProtocolException(OPEN, BAD_PARAMETER, "parameter " + parameter);
            }
            while (!value.isEmpty()) {
                int code = value.u8();
                capabilities.add(capability(code, value.take(value.u8())));
            }
        }
        for (Capability capability : capabilities) {
            if (capability instanceof Capability.FourOctetAs(long real)) {
                asn = real;
            }
        }
        if (asn == 0) {
            throw new BgpProtocolException(OPEN, BAD_PEER_AS, "AS number 0, RFC 7607");
        }
        return new Open(asn, holdSeconds, identifier, capabilities);
    }

    /** One that has not the length of its kind is one that we do not know: RFC 5492 §3 has no error for it. */
    private static Capability capability(int code, Slice value) throws Slice.ShortException {
        int length = value.left();
        if (code == 1 && length == 4) {
            int afi = value.u16();
            var _ = value.u8();
            return new Capability.MultiProtocol(afi, value.u8());
        }
        if (code == 2 && length == 0) {
            return new Capability.RouteRefresh();
        }
        if (code == 65 && length == 4) {
            return new Capability.FourOctetAs(value.u32());
        }
        if (code == 64 && length >= 2 && (length - 2) % 4 == 0) {
            int flags = value.u16();
            List<Capability.RestartFamily> families = new ArrayList<>();
            while (!value.isEmpty()) {
                families.add(new Capability.RestartFamily(value.u16(), value.u8(), (value.u8() & 0x80) != 0));
            }
            return new Capability.GracefulRestart((flags & 0x8000) != 0, flags & 0x0FFF, families);
        }
        if (code == 69 && length > 0 && length % 4 == 0) {
            List<Capability.AddPathFamily> families = new ArrayList<>();
            while (!value.isEmpty()) {
                families.add(new Capability.AddPathFamily(value.u16(), value.u8(), value.u8()));
            }
            return new Capability.AddPath(families);
        }
        return new Capability.Unknown(code, value.rest());
    }
}
