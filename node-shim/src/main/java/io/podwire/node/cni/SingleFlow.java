package io.podwire.node.cni;

import io.podwire.common.loop.LifoThreads;
import io.podwire.common.net.IpAddress;
import io.podwire.node.cni.CniException.Code;
import io.podwire.node.journal.Attachment;
import io.podwire.node.plan.PodName;
import io.podwire.node.plan.PodRequest;
import io.podwire.node.plan.Replica;
import io.podwire.node.plan.SingleAnswer;
import io.podwire.node.plan.SingleWish;
import io.podwire.node.plan.SingleWish.What;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * The part of an ADD that is about addresses of ipam-service's own blocks. A pod that names no address and reserves none has
 * none of it.
 */
final class SingleFlow {
    private static final CompletableFuture<Void> NOTHING = CompletableFuture.completedFuture(null);

    private final Node node;

    /** The flow of one node. */
    SingleFlow(Node node) {
        this.node = node;
    }

    /**
     * Takes what no block of the node can give.
     *
     * @param longest how long to wait for ipam-service
     * @return what the pod has now; none: it wants none
     */
    List<IpAddress> take(CniCall call, PodRequest request, Duration longest) throws CniException {
        Optional<What> what = what(call, request);
        if (what.isEmpty()) {
            return List.of();
        }
        SingleWish wish = new SingleWish(
                call.key(), call.config().name(), podName(call), request.pool().orElse(""), what.get());
        SingleAnswer answer;
        try (var _ = LifoThreads.stepAside()) {
            answer = node.services().allocate(wish, longest);
        }
        return switch (answer) {
            case SingleAnswer.Given(List<IpAddress> addresses) -> addresses;
            case SingleAnswer.NotNow(String why) -> throw refused(Code.TRY_AGAIN, what.get(), why);
            case SingleAnswer.Never(String why) -> throw refused(Code.INVALID_CONFIG, what.get(), why);
        };
    }

    private Optional<What> what(CniCall call, PodRequest request) throws CniException {
        if (request.reserve()) {
            return Optional.of(new What.ReservedFor(replica(call), node.families()));
        }
        if (request.addresses().isEmpty()) {
            return Optional.empty();
        }
        List<IpAddress> outside = node.addresses().outside(request.addresses());
        return outside.isEmpty() ? Optional.empty() : Optional.of(new What.These(outside));
    }

    private static PodName podName(CniCall call) {
        return new PodName(call.pod().namespace(), call.pod().name());
    }

    private static Replica replica(CniCall call) throws CniException {
        PodName pod = podName(call);
        return Replica.ofPod(pod)
                .orElseThrow(() -> new CniException(
                        Code.INVALID_CONFIG,
                        "no address can be reserved for pod " + (pod.toString().isEmpty() ? "without a name" : pod),
                        "annotation podwire.io/reserve is for pods that are called WORKLOAD-ORDINAL in a namespace, as"
                                + " those of a StatefulSet: others have no name that stays"));
    }

    private CniException refused(Code code, What what, String why) {
        return new CniException(
                code,
                what + " cannot be had",
                why
                        + switch (what) {
                            case What.These _ ->
                                "; it is in no block of this node, which has "
                                        + node.addresses().blocks();
                            case What.ReservedFor _ -> "";
                        });
    }

    /** Done once the other nodes know where an attachment's single addresses are; at once when it has none. */
    CompletableFuture<Void> announced(Attachment intent) {
        PodRequest request = intent.request();
        boolean mayHave = request.reserve() || !request.addresses().isEmpty();
        return mayHave
                        && node.addresses().lent().stream()
                                .anyMatch(intent.addresses().list()::contains)
                ? node.services().announceSingles()
                : NOTHING;
    }
}
