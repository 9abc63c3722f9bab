package io.podwire.route.bgp.message;

/** Codes of NOTIFICATION messages: RFC 4271 §4.5, RFC 4486, RFC 5492, RFC 6608, RFC 9687. */
public final class NotificationCodes {
    /** Message Header Error. */
    public static final int HEADER = 1;
    /** Of it: Connection Not Synchronized. */
    public static final int NOT_SYNCHRONIZED = 1;
    /** Of it: Bad Message Length. */
    public static final int BAD_LENGTH = 2;
    /** Of it: Bad Message Type. */
    public static final int BAD_TYPE = 3;

    /** OPEN Message Error. */
    public static final int OPEN = 2;
    /** Of it: Unspecific. */
    public static final int OPEN_UNSPECIFIC = 0;
    /** Of it: Unsupported Version Number. */
    public static final int BAD_VERSION = 1;
    /** Of it: Bad Peer AS. */
    public static final int BAD_PEER_AS = 2;
    /** Of it: Bad BGP Identifier. */
    public static final int BAD_IDENTIFIER = 3;
    /** Of it: Unsupported Optional Parameter. */
    public static final int BAD_PARAMETER = 4;
    /** Of it: Unacceptable Hold Time. */
    public static final int BAD_HOLD_TIME = 6;
    /** Of it: Unsupported Capability. */
    public static final int NO_CAPABILITY = 7;

    /** UPDATE Message Error. */
    public static final int UPDATE = 3;
    /** Of it: Malformed Attribute List. */
    public static final int BAD_ATTRIBUTES = 1;
    /** Of it: Unrecognized Well-known Attribute. */
    public static final int UNKNOWN_WELL_KNOWN = 2;
    /** Of it: Optional Attribute Error. */
    public static final int BAD_OPTIONAL = 9;
    /** Of it: Invalid Network Field. */
    public static final int BAD_NETWORK = 10;

    /** Hold Timer Expired. */
    public static final int HOLD_EXPIRED = 4;

    /** Finite State Machine Error; the subcode is 1 in OpenSent, 2 in OpenConfirm, 3 in Established. */
    public static final int FSM = 5;

    /** Cease. */
    public static final int CEASE = 6;
    /** Of it: Maximum Number of Prefixes Reached. */
    public static final int MAX_PREFIXES = 1;
    /** Of it: Administrative Shutdown. */
    public static final int SHUTDOWN = 2;
    /** Of it: Peer De-configured. */
    public static final int DECONFIGURED = 3;
    /** Of it: Administrative Reset. */
    public static final int RESET = 4;
    /** Of it: Connection Rejected. */
    public static final int REJECTED = 5;
    /** Of it: Connection Collision Resolution. */
    public static final int COLLISION = 7;

    /** ROUTE-REFRESH Message Error, RFC 7313. */
    public static final int ROUTE_REFRESH = 7;
    /** Send Hold Timer Expired, RFC 9687. */
    public static final int SEND_HOLD_EXPIRED = 8;

    private NotificationCodes() {}

    /** Both codes in words. */
    static String describe(int code, int subcode) {
        String name = switch (code) {
            case HEADER -> "message header error";
            case OPEN -> "OPEN message error";
            case UPDATE -> "UPDATE message error";
            case HOLD_EXPIRED -> "hold timer expired";
            case FSM -> "state machine error";
            case CEASE -> "cease";
            case ROUTE_REFRESH -> "ROUTE-REFRESH message error";
            case SEND_HOLD_EXPIRED -> "send hold timer expired";
            default -> "error";
        };
        String detail = switch (code * 256 + subcode) {
            case HEADER * 256 + NOT_SYNCHRONIZED -> "connection not synchronized";
            case HEADER * 256 + BAD_LENGTH -> "bad message length";
            case HEADER * 256 + BAD_TYPE -> "bad message type";
            case OPEN * 256 + BAD_VERSION -> "unsupported version";
            case OPEN * 256 + BAD_PEER_AS -> "bad peer AS";
            case OPEN * 256 + BAD_IDENTIFIER -> "bad BGP identifier";
            case OPEN * 256 + BAD_PARAMETER -> "unsupported optional parameter";
            case OPEN * 256 + BAD_HOLD_TIME -> "unacceptable hold time";
            case OPEN * 256 + NO_CAPABILITY -> "unsupported capability";
            case UPDATE * 256 + BAD_ATTRIBUTES -> "malformed attribute list";
            case UPDATE * 256 + UNKNOWN_WELL_KNOWN -> "unrecognized well-known attribute";
            case UPDATE * 256 + BAD_OPTIONAL -> "optional attribute error";
            case UPDATE * 256 + BAD_NETWORK -> "invalid network field";
            case CEASE * 256 + MAX_PREFIXES -> "maximum number of prefixes reached";
            case CEASE * 256 + SHUTDOWN -> "administrative shutdown";
            case CEASE * 256 + DECONFIGURED -> "peer de-configured";
            case CEASE * 256 + RESET -> "administrative reset";
            case CEASE * 256 + REJECTED -> "connection rejected";
            case CEASE * 256 + COLLISION -> "connection collision resolution";
            default -> "";
        };
        return name + " (" + code + "/" + subcode + ")" + (detail.isEmpty() ? "" : ": " + detail);
    }
}
