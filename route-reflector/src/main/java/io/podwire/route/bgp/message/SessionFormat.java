package io.podwire.route.bgp.message;

/**
 * What two speakers agreed on that changes how messages are read and written.
 *
 * @param fourOctetAs AS numbers have four octets in AS_PATH and AGGREGATOR (RFC 6793)
 * @param internal both are of one AS: LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST have a meaning
 */
public record SessionFormat(boolean fourOctetAs, boolean internal) {
    /** Before the OPENs are exchanged: no message read then depends on it. */
    public static final SessionFormat INITIAL = new SessionFormat(false, false);
}
