package io.podwire.node.journal;

import io.podwire.common.net.MacAddress;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.PodRequest;
import io.podwire.node.plan.WiringMode;
import java.time.Instant;

/**
 * One container's interface, from the first step of its ADD to the last of its DEL.
 *
 * @param key container id and interface name
 * @param network name of the network configuration
 * @param pod the pod the runtime named
 * @param netnsPath path of the network namespace at ADD
 * @param netnsInode inode of the network namespace at ADD: the same path may later be another one; 0 when
 *     that was in another boot
 * @param mode how it is wired
 * @param hostIfname host end of its veth pair; of a mode without one, the interface's name until it is complete
 * @param mac the container's interface's
 * @param addresses the container's
 * @param mtu of both ends, in bytes
 * @param state how far its ADD came
 * @param policyRevision revision that covered it when its ADD returned; 0 without policy-service
 * @param since when its ADD began or ended
 * @param request what it asked for beyond an interface with any address
 */
public record Attachment(
        EndpointKey key,
        String network,
        PodIdentity pod,
        String netnsPath,
        long netnsInode,
        WiringMode mode,
        String hostIfname,
        MacAddress mac,
        PodAddresses addresses,
        int mtu,
        State state,
        long policyRevision,
        Instant since,
        PodRequest request) {

    /** One on the bridge that asked for nothing. */
    public Attachment(
            EndpointKey key,
            String network,
            PodIdentity pod,
            String netnsPath,
            long netnsInode,
            String hostIfname,
            MacAddress mac,
            PodAddresses addresses,
            int mtu,
            State state,
            long policyRevision,
            Instant since) {
        this(
                key,
                network,
                pod,
                netnsPath,
                netnsInode,
                new WiringMode.Bridge(),
                hostIfname,
                mac,
                addresses,
                mtu,
                state,
                policyRevision,
                since,
                PodRequest.NONE);
    }

    /** How far an ADD came. */
    public enum State {
        /** Begun: kernel objects may exist. A restarted node-shim undoes it. */
        INTENT,
        /** Answered, or about to be: a restarted node-shim keeps it. */
        ATTACHED
    }

    /**
     * The pod behind an attachment, as CNI_ARGS names it.
     *
     * @param namespace K8S_POD_NAMESPACE, or empty
     * @param name K8S_POD_NAME, or empty
     * @param uid K8S_POD_UID, or empty
     * @param declared true when a Kubernetes runtime named the pod, so that an object must exist
     */
    public record PodIdentity(String namespace, String name, String uid, boolean declared) {
        /** namespace/name, for people. */
        public String display() {
            return namespace.isEmpty() && name.isEmpty() ? "" : namespace + "/" + name;
        }
    }

    /** The same attachment, its ADD done. */
    public Attachment attached(long revision, Instant now) {
        return new Attachment(
                key,
                network,
                pod,
                netnsPath,
                netnsInode,
                mode,
                hostIfname,
                mac,
                addresses,
                mtu,
                State.ATTACHED,
                revision,
                now,
                request);
    }

    /** The same attachment with another MTU, in bytes. */
    public Attachment withMtu(int other) {
        return wired(mode, hostIfname, mac, other);
    }

    /** The same attachment with what it asks for. */
    public Attachment asking(PodRequest other) {
        return new Attachment(
                key,
                network,
                pod,
                netnsPath,
                netnsInode,
                mode,
                hostIfname,
                mac,
                addresses,
                mtu,
                state,
                policyRevision,
                since,
                other);
    }

    /** The same attachment after a reboot: no namespace of now is the one it was attached in. */
    public Attachment ofAnotherBoot() {
        return new Attachment(
                key,
                network,
                pod,
                netnsPath,
                0,
                mode,
                hostIfname,
                mac,
                addresses,
                mtu,
                state,
                policyRevision,
                since,
                request);
    }

    /** The same attachment, wired so. */
    public Attachment wired(WiringMode how, String otherIfname, MacAddress otherMac, int otherMtu) {
        return new Attachment(
                key,
                network,
                pod,
                netnsPath,
                netnsInode,
                how,
                otherIfname,
                otherMac,
                addresses,
                otherMtu,
                state,
                policyRevision,
                since,
                request);
    }
}
