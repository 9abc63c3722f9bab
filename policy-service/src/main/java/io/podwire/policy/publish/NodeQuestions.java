package io.podwire.policy.publish;

import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.NodeName;
import io.podwire.common.service.Handshakes;
import io.podwire.proto.policy.v1.NodeQuestion;
import io.podwire.proto.policy.v1.NodeReply;
import io.podwire.proto.policy.v1.QuestionsGrpc;
import io.podwire.proto.policy.v1.QuestionsHello;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * podwire.policy.v1.Questions: asks nodes about their kernels, each on its stream. Safe for all threads; a node's stream has
 * a lock of its own.
 */
public final class NodeQuestions extends QuestionsGrpc.QuestionsImplBase {
    private static final Logger log = LoggerFactory.getLogger(NodeQuestions.class);
    private static final int PROTOCOL = 1;
    /** Of one node at once: it answers one after another. */
    private static final int WAITING = 64;

    private final ConcurrentMap<NodeName, Asked> nodes = new ConcurrentHashMap<>();

    /** What a node said. */
    sealed interface Said {
        /** Its reply. */
        record Reply(NodeReply reply) implements Said {}

        /** Nothing, and why: one sentence. */
        record Silent(String why) implements Said {}
    }

    @Override
    public StreamObserver<NodeReply> answer(StreamObserver<NodeQuestion> out) {
        var call = (ServerCallStreamObserver<NodeQuestion>) out;
        Asked asked = new Asked(call);
        call.setOnCancelHandler(() -> asked.end("its stream broke"));
        return asked;
    }

    /** Those that answer questions here now. */
    SortedSet<NodeName> nodes() {
        return new TreeSet<>(nodes.keySet());
    }

    /**
     * Asks a node.
     *
     * @param longest to wait for its reply
     * @return never fails
     */
    CompletableFuture<Said> ask(NodeName node, NodeQuestion.Builder question, Duration longest) {
        Asked asked = nodes.get(node);
        if (asked == null) {
            return CompletableFuture.completedFuture(
                    new Said.Silent("it answers no questions here: it is older, cut off, or with another replica"));
        }
        return asked.ask(question, longest);
    }

    /** One node's stream. */
    private final class Asked implements StreamObserver<NodeReply> {
        private final ReentrantLock lock = new ReentrantLock();
        private final ServerCallStreamObserver<NodeQuestion> call;
        private final Map<Long, CompletableFuture<Said>> waiting = new ConcurrentHashMap<>();
        private long lastId;
        private boolean ended;
        /** Set by the hello. */
        private volatile Optional<NodeName> node = Optional.empty();

        Asked(ServerCallStreamObserver<NodeQuestion> call) {
            this.call = call;
        }

        CompletableFuture<Said> ask(NodeQuestion.Builder question, Duration longest) {
            CompletableFuture<Said> said = new CompletableFuture<>();
            lock.lock();
            try {
                if (ended) {
                    return CompletableFuture.completedFuture(new Said.Silent("its stream has just ended"));
                }
                if (waiting.size() >= WAITING) {
                    return CompletableFuture.completedFuture(
                            new Said.Silent("it has " + WAITING + " questions to answer already"));
                }
                long id = ++lastId;
                waiting.put(id, said);
                call.onNext(question.setId(id).build());
                return said.orTimeout(longest.toMillis(), TimeUnit.MILLISECONDS)
                        .exceptionally(failure -> new Said.Silent(
                                failure instanceof TimeoutException
                                        ? "it did not answer within " + longest.toMillis() + " ms"
                                        : String.valueOf(failure.getMessage())))
                        .whenComplete((_, _) -> waiting.remove(id));
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void onNext(NodeReply reply) {
            if (reply.getReplyCase() == NodeReply.ReplyCase.HELLO) {
                hello(reply.getHello());
                return;
            }
            CompletableFuture<Said> said = waiting.get(reply.getId());
            if (said != null) { // else it comes too late
                said.complete(
                        reply.getReplyCase() == NodeReply.ReplyCase.REFUSED
                                ? new Said.Silent(reply.getRefused())
                                : new Said.Reply(reply));
            }
        }

        private void hello(QuestionsHello hello) {
            try {
                Handshakes.check(hello.getHandshake(), PROTOCOL);
                NodeName name = new NodeName(hello.getNode().getNode());
                node = Optional.of(name);
                Asked older = nodes.put(name, this);
                if (older != null && !older.equals(this)) {
                    older.refuse(new ServiceException(
                            ErrorReason.CONTENTION,
                            "node " + name + " opened another stream of questions; that one is served"));
                }
                lock.lock();
                try {
                    call.onNext(NodeQuestion.getDefaultInstance());
                } finally {
                    lock.unlock();
                }
            } catch (IllegalArgumentException e) {
                refuse(new ServiceException(
                        ErrorReason.INVALID_ARGUMENT, "reading a hello for questions: " + e.getMessage(), e));
            } catch (ServiceException e) {
                refuse(e);
            }
        }

        private void refuse(ServiceException reason) {
            log.warn("ended a stream of questions: {}", reason.getMessage());
            lock.lock();
            try {
                if (!ended && !call.isCancelled()) {
                    call.onError(GrpcErrors.toGrpc(reason));
                }
            } finally {
                lock.unlock();
            }
            end("another stream took its place");
        }

        void end(String why) {
            lock.lock();
            try {
                ended = true;
            } finally {
                lock.unlock();
            }
            node.ifPresent(name -> nodes.remove(name, this));
            waiting.values().forEach(said -> said.complete(new Said.Silent(why)));
        }

        @Override
        public void onError(Throwable failure) {
            end("its stream broke: " + Status.fromThrowable(failure).getCode());
        }

        @Override
        public void onCompleted() {
            lock.lock();
            try {
                if (!ended && !call.isCancelled()) {
                    call.onCompleted();
                }
            } finally {
                lock.unlock();
            }
            end("it said goodbye");
        }
    }
}
