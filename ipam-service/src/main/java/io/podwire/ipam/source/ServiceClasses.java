package io.podwire.ipam.source;

/** Which Services of type LoadBalancer get addresses of us. */
public enum ServiceClasses {
    /** Those whose spec.loadBalancerClass is ours, and those that name none. */
    UNSET,
    /** Those whose spec.loadBalancerClass is ours: another controller has the others. */
    OWN;

    /** Our spec.loadBalancerClass. */
    public static final String NAME = "podwire.io/load-balancer";

    /**
     * True when a Service of a class gets addresses of us.
     *
     * @param loadBalancerClass empty where it names none
     */
    boolean serve(String loadBalancerClass) {
        return loadBalancerClass.equals(NAME) || (this == UNSET && loadBalancerClass.isEmpty());
    }
}
