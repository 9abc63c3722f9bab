package io.podwire.ipam.service;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.service.Handshakes;
import io.podwire.ipam.binding.Binding;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.proto.ipam.v1.BindingsGrpc;
import io.podwire.proto.ipam.v1.ReportBindingsRequest;
import io.podwire.proto.ipam.v1.ReportBindingsResponse;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** podwire.ipam.v1.Bindings: brings what nodes report into the table. */
public final class BindingsGrpcService extends BindingsGrpc.BindingsImplBase {
    private static final Logger log = LoggerFactory.getLogger(BindingsGrpcService.class);

    private final BindingTable table;
    private final ReclaimFlow reclaims;
    private final TimeSource time;
    private final FullNamespaces full;

    /**
     * The service over its table; lives that have lost their blocks are refused.
     *
     * @param full what nodes are told
     */
    public BindingsGrpcService(BindingTable table, ReclaimFlow reclaims, TimeSource time, FullNamespaces full) {
        this.table = table;
        this.reclaims = reclaims;
        this.time = time;
        this.full = full;
    }

    @Override
    public StreamObserver<ReportBindingsRequest> reportBindings(StreamObserver<ReportBindingsResponse> node) {
        return new Session((ServerCallStreamObserver<ReportBindingsResponse>) node);
    }

    /** One stream. Messages come one after the other; its end may come from another node's thread. */
    private final class Session implements StreamObserver<ReportBindingsRequest> {
        private final ServerCallStreamObserver<ReportBindingsResponse> node;
        private final BindingTable.Stream stream = new BindingTable.Stream(this::fail);
        private final Runnable reader = this::tell;
        /** Guarded by this. */
        private boolean over;
        /** Whether the node takes full namespaces, and its first message was answered; guarded by this. */
        private boolean takes;
        /** What it was told of them; guarded by this. */
        private List<String> told = List.of();

        Session(ServerCallStreamObserver<ReportBindingsResponse> node) {
            this.node = node;
            node.setOnCancelHandler(() -> end(() -> {}));
        }

        @Override
        public void onNext(ReportBindingsRequest message) {
            try {
                take(message);
                acknowledge(message);
            } catch (ServiceException e) {
                fail(e);
            }
        }

        private void take(ReportBindingsRequest message) {
            NodeEpoch caller = IpamMapping.epoch(message.getNode());
            reclaims.check(caller);
            Optional<Map<String, Integer>> audit =
                    message.hasAudit() ? Optional.of(BindingMapping.findings(message.getAudit())) : Optional.empty();
            switch (message.getReportCase()) {
                case FULL -> {
                    Handshakes.check(message.getHandshake(), BindingMapping.PROTOCOL);
                    if (message.getSequence() != 1) {
                        throw BindingMapping.invalid("sequence: of a stream's first message must be 1, got "
                                + Long.toUnsignedString(message.getSequence()));
                    }
                    List<Binding> all =
                            BindingMapping.bindings(message.getFull().getBindingsList());
                    table.full(stream, caller, all, time.monotonic());
                    full.used(namespaces(all));
                }
                case DELTA -> {
                    List<Binding> updated =
                            BindingMapping.bindings(message.getDelta().getUpdatedList());
                    table.delta(
                            stream,
                            caller,
                            message.getSequence(),
                            updated,
                            BindingMapping.removed(message.getDelta().getRemovedList()),
                            time.monotonic());
                    full.used(namespaces(updated));
                }
                case REPORT_NOT_SET -> throw BindingMapping.invalid("report: must be full or delta");
            }
            audit.ifPresent(findings -> table.audited(stream, findings));
        }

        private static Set<String> namespaces(List<Binding> bindings) {
            return bindings.stream()
                    .map(binding -> binding.holder().namespace())
                    .collect(Collectors.toSet());
        }

        private synchronized void acknowledge(ReportBindingsRequest message) {
            if (over) {
                return;
            }
            ReportBindingsResponse.Builder answer =
                    ReportBindingsResponse.newBuilder().setSequence(message.getSequence());
            boolean first = message.getTakesFullNamespaces() && !takes;
            takes |= first;
            if (takes) {
                List<String> now = full.now();
                if (first || !now.equals(told)) {
                    told = now;
                    answer.setFullNamespaces(BindingMapping.toProto(now));
                }
            }
            node.onNext(answer.build());
            if (first) {
                full.add(reader);
            }
        }

        /** A node whose messages are answered already learns what others' reports came to. */
        private synchronized void tell() {
            List<String> now = full.now();
            if (!over && !now.equals(told) && node.isReady()) {
                told = now;
                node.onNext(ReportBindingsResponse.newBuilder()
                        .setFullNamespaces(BindingMapping.toProto(now))
                        .build());
            }
        }

        private void fail(ServiceException why) {
            end(() -> {
                // What a node sent stands in the message: it stays one line.
                log.warn("stream of bindings ended: {}", why.getMessage().replaceAll("\\p{Cntrl}", "?"));
                node.onError(GrpcErrors.toGrpc(why));
            });
        }

        private void end(Runnable last) {
            table.ended(stream);
            full.remove(reader);
            synchronized (this) {
                if (!over) {
                    over = true;
                    last.run();
                }
            }
        }

        @Override
        public void onError(Throwable failure) {
            end(() -> {});
        }

        @Override
        public void onCompleted() {
            end(node::onCompleted);
        }
    }
}
