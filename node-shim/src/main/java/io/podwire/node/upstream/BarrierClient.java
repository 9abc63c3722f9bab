package io.podwire.node.upstream;

import com.google.common.util.concurrent.FutureCallback;
import com.google.common.util.concurrent.Futures;
import com.google.common.util.concurrent.MoreExecutors;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.plan.BarrierOutcome;
import io.podwire.node.plan.EndpointKey;
import io.podwire.proto.policy.v1.AwaitEndpointRequest;
import io.podwire.proto.policy.v1.AwaitEndpointResponse;
import io.podwire.proto.policy.v1.Laggard;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks policy-service which nodes do not enforce an endpoint yet, and waits for them. Every replica is asked, since each
 * knows of the nodes alone that it serves; one that serves none, or does not answer where another does, says nothing. For
 * any thread.
 */
public final class BarrierClient {
    private static final Logger log = LoggerFactory.getLogger(BarrierClient.class);
    /** A busy replica may name the laggards so late: its answer says more than none. */
    private static final Duration GRACE = Duration.ofMillis(500);

    private static final Duration AGAIN = Duration.ofMillis(100);
    private static final String TIMES = "podwire.start.barrier";

    private final EventLoop loop;
    private final TimeSource time;
    private final NodeName self;
    private final Supplier<Map<String, ManagedChannel>> replicas;
    private final MeterRegistry meters;
    /** What the log said last. */
    private volatile List<String> said = List.of();

    /**
     * A client.
     *
     * @param replicas those to ask, by their names for people
     */
    public BarrierClient(
            EventLoop loop,
            TimeSource time,
            NodeName self,
            Supplier<Map<String, ManagedChannel>> replicas,
            MeterRegistry meters) {
        this.loop = loop;
        this.time = time;
        this.self = self;
        this.replicas = replicas;
        this.meters = meters;
    }

    /** What one replica said: an answer, or why there is none. */
    private record Said(String replica, AwaitEndpointResponse answer, Status status) {
        boolean counts() {
            return status.isOk() && answer.getServedNodes() > 0;
        }
    }

    /**
     * Waits.
     *
     * @param longest how long
     * @return never fails, and is done half a second after that time at the latest
     */
    public CompletableFuture<BarrierOutcome> await(EndpointKey key, PodAddresses addresses, Duration longest) {
        Duration began = time.monotonic();
        AwaitEndpointRequest request = AwaitEndpointRequest.newBuilder()
                .setNode(self.value())
                .setKey(key.toString())
                .addAllAddresses(addresses.stream().map(IpAddress::toString).toList())
                .build();
        CompletableFuture<BarrierOutcome> outcome = new CompletableFuture<>();
        round(request, began.plus(longest), outcome);
        return outcome.whenComplete(
                (found, _) -> tell(key, found, time.monotonic().minus(began)));
    }

    private void round(AwaitEndpointRequest request, Duration end, CompletableFuture<BarrierOutcome> outcome) {
        Duration left = end.minus(time.monotonic());
        Duration wait = left.isNegative() ? Duration.ZERO : left;
        AwaitEndpointRequest.Builder waiting = request.toBuilder();
        waiting.getMaxWaitBuilder().setSeconds(wait.getSeconds()).setNanos(wait.getNano());
        AwaitEndpointRequest ask = waiting.build();
        List<CompletableFuture<Said>> asked = replicas.get().entrySet().stream()
                .map(replica -> ask(replica.getKey(), replica.getValue(), ask, wait.plus(GRACE)))
                .toList();
        var _ = CompletableFuture.allOf(asked.toArray(CompletableFuture[]::new)).whenComplete((_, _) -> {
            List<Said> all = asked.stream().map(CompletableFuture::join).toList();
            boolean later = all.stream().noneMatch(Said::counts)
                    && all.stream().anyMatch(one -> one.status().getCode() != Status.Code.UNIMPLEMENTED)
                    && end.minus(time.monotonic()).compareTo(AGAIN) > 0;
            if (later) {
                loop.schedule(AGAIN, () -> round(request, end, outcome));
            } else {
                outcome.complete(judge(all));
            }
        });
    }

    private static CompletableFuture<Said> ask(
            String name, ManagedChannel channel, AwaitEndpointRequest request, Duration longest) {
        CompletableFuture<Said> said = new CompletableFuture<>();
        Futures.addCallback(
                ProgramsGrpc.newFutureStub(channel)
                        .withDeadlineAfter(longest.toNanos(), TimeUnit.NANOSECONDS)
                        .awaitEndpoint(request),
                new FutureCallback<>() {
                    @Override
                    public void onSuccess(AwaitEndpointResponse answer) {
                        said.complete(new Said(name, answer, Status.OK));
                    }

                    @Override
                    public void onFailure(Throwable failure) {
                        said.complete(new Said(
                                name, AwaitEndpointResponse.getDefaultInstance(), Status.fromThrowable(failure)));
                    }
                },
                MoreExecutors.directExecutor());
        return said;
    }

    private static BarrierOutcome judge(List<Said> all) {
        if (all.stream().noneMatch(Said::counts)) {
            return new BarrierOutcome.Unanswered(all.stream()
                    .map(one -> one.replica() + ": "
                            + (one.status().isOk()
                                    ? "it serves no node yet"
                                    : one.status().getCode() + " "
                                            + one.status().getDescription()))
                    .toList()
                    .toString());
        }
        SortedSet<String> laggards = new TreeSet<>();
        for (Said one : all) {
            if (one.counts()) {
                one.answer().getLaggardsList().forEach(laggard -> laggards.add(text(laggard)));
            } else if (one.status().getCode() == Status.Code.DEADLINE_EXCEEDED) {
                laggards.add("those that policy-service at " + one.replica() + " serves: it does not answer");
            }
        }
        return laggards.isEmpty() ? new BarrierOutcome.Complete() : new BarrierOutcome.Late(List.copyOf(laggards));
    }

    private static String text(Laggard laggard) {
        return laggard.getNode() + ": " + laggard.getReason();
    }

    private void tell(EndpointKey key, BarrierOutcome outcome, Duration took) {
        switch (outcome) {
            case BarrierOutcome.Complete _ -> {
                count("complete", took);
                said = List.of();
            }
            case BarrierOutcome.Late(List<String> laggards) -> {
                count("late", took);
                laggards.forEach(laggard -> meters.counter(
                                TIMES + ".laggards", "node", laggard.substring(0, laggard.indexOf(':')))
                        .increment());
                warn("pod {} starts although not every node enforces its addresses: {}", key, laggards);
            }
            case BarrierOutcome.Unanswered(String why) -> {
                count("unanswered", took);
                warn("pod {} starts, and which nodes enforce its addresses is not known: {}", key, List.of(why));
            }
        }
    }

    /** What holds for one pod after the other is said once. */
    private void warn(String text, EndpointKey key, List<String> what) {
        if (!what.equals(said)) {
            said = what;
            log.warn(text, key, what);
        } else {
            log.debug(text, key, what);
        }
    }

    private void count(String outcome, Duration took) {
        meters.timer(TIMES, "outcome", outcome).record(took);
    }
}
