package io.podwire.node.dataplane;

import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netns.Netns;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;

/**
 * What pods ask for beyond their wiring: routes and kernel settings inside, and limits of their speed. A pod that asks
 * for nothing costs nothing. Safe for several threads: each call touches the objects of one pod only.
 */
public final class PodExtras {
    private final PodRoutes routes = new PodRoutes(PodNames::gateway);
    private final PodSysctls sysctls;
    private final PodShaping shaping;
    private final Executor kernelThreads;
    private final FailPoints failPoints;

    /**
     * Extras of pods on the namespace that the sockets belong to.
     *
     * @param kernelThreads for the removal of links: the kernel keeps who asks for it waiting
     */
    public PodExtras(RtnetlinkPool sockets, Executor kernelThreads, Sysctl sysctl, FailPoints failPoints) {
        this.sysctls = new PodSysctls(sysctl.root());
        this.shaping = new PodShaping(sockets);
        this.kernelThreads = kernelThreads;
        this.failPoints = failPoints;
    }

    /**
     * Gives a wired pod what it asks for.
     *
     * @throws RefusedException naming what cannot be made inside it; what was made before stays, for {@link #remove}
     * @throws io.podwire.node.netlink.NetlinkException when the kernel refuses another step; likewise
     */
    public void give(Attachment a, Netns pod) throws RefusedException {
        routes.apply(a, pod);
        sysctls.apply(pod, a.request().sysctls());
        failPoints.reach("add.sysctls");
        shaping.apply(a);
        failPoints.reach("add.shaping");
    }

    /** Makes the limits of its speed fit an attachment's MTU. */
    public void reshape(Attachment a) {
        shaping.apply(a);
    }

    /**
     * Removes what does not go with the pod's links. The kernel takes some 20 ms for it, beside which other things can
     * be done.
     */
    public CompletableFuture<Void> remove(Attachment a) {
        return a.request().shaping().egress().isEmpty()
                ? CompletableFuture.completedFuture(null)
                : CompletableFuture.runAsync(() -> shaping.remove(a), kernelThreads);
    }

    /** Differences between what an attachment asks for and the kernel. */
    public List<Finding> check(Attachment a, Netns pod) {
        List<Finding> findings = new ArrayList<>(routes.check(a, pod));
        findings.addAll(sysctls.check(pod, a.request().sysctls()));
        findings.addAll(shaping.check(a));
        return findings;
    }

    /**
     * Differences between all attachments and what is of them on the node.
     *
     * @param attachments those that are done; objects of others count as left over
     */
    public List<Finding> audit(List<Attachment> attachments) {
        return shaping.audit(attachments);
    }
}
