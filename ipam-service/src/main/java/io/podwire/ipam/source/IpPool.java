package io.podwire.ipam.source;

import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.Kind;
import io.fabric8.kubernetes.model.annotation.Plural;
import io.fabric8.kubernetes.model.annotation.Singular;
import io.fabric8.kubernetes.model.annotation.Version;

/** IPPool of podwire.io/v1, cluster-scoped: the object of manifests and of the Kubernetes API. */
@Group(IpPool.GROUP)
@Version(IpPool.VERSION)
@Kind(IpPool.KIND)
@Plural("ippools")
@Singular("ippool")
public final class IpPool extends CustomResource<IpPoolSpec, IpPoolStatus> {
    static final String GROUP = "podwire.io";
    static final String VERSION = "v1";
    static final String KIND = "IPPool";

    private static final long serialVersionUID = 1L;

    // The records have no constructor without arguments, which these would look for.

    @Override
    protected IpPoolSpec initSpec() {
        return null;
    }

    @Override
    protected IpPoolStatus initStatus() {
        return null;
    }
}
