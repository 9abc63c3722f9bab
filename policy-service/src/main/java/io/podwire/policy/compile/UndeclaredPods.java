package io.podwire.policy.compile;

/** What becomes of an endpoint whose pod no object declares. */
public enum UndeclaredPods {
    /** It is not covered until its object appears: right where objects come from an API server. */
    WAIT,
    /** It is judged as a pod without labels in its namespace, which need not be declared either. */
    DEFAULT
}
