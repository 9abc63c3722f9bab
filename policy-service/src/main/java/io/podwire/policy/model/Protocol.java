package io.podwire.policy.model;

/** Transport protocols that a policy can name. */
public enum Protocol {
    /** RFC 9293. */
    TCP,
    /** RFC 768. */
    UDP,
    /** RFC 9260. */
    SCTP
}
