package io.podwire.node.upstream;

import com.google.common.base.Splitter;
import io.podwire.common.loop.EventLoop;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Looks up again and again which replicas a service has, on a loop of its own: a resolver may take long to answer. */
final class ReplicaWatch implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ReplicaWatch.class);
    private static final Duration AGAIN = Duration.ofSeconds(30);
    private static final Duration AGAIN_WITHOUT = Duration.ofSeconds(1);

    private final String service;
    private final String targets;
    private final Replicas.Lookup lookup;
    private final Consumer<List<String>> found;
    private Optional<EventLoop> asking = Optional.empty();
    private String complaint = "";

    /**
     * A watch that has not begun.
     *
     * @param targets HOST:PORT, several with commas between; of a name with several addresses each is a replica
     * @param found hears of all replicas as HOST:PORT after each look, on any thread
     */
    ReplicaWatch(String service, String targets, Replicas.Lookup lookup, Consumer<List<String>> found) {
        this.service = service;
        this.targets = targets;
        this.lookup = lookup;
        this.found = found;
    }

    /** Begins; where all replicas are named by address, that is all. */
    synchronized void start() {
        List<String> named = Splitter.on(',').trimResults().omitEmptyStrings().splitToList(targets);
        if (named.stream().allMatch(Replicas::isAddress)) {
            found.accept(named);
            return;
        }
        EventLoop loop = new EventLoop(service + "-replicas");
        asking = Optional.of(loop);
        loop.execute(() -> look(loop));
    }

    private void look(EventLoop loop) {
        Duration pause = AGAIN;
        try {
            found.accept(ReplicaResolver.replicas(targets, lookup));
            complaint = "";
        } catch (UnknownHostException e) {
            pause = AGAIN_WITHOUT;
            if (!complaint.equals(e.getMessage())) {
                complaint = String.valueOf(e.getMessage());
                log.warn("the replicas of {} cannot be looked up, the known ones stay: {}", service, complaint);
            }
        }
        loop.schedule(pause, () -> look(loop));
    }

    @Override
    public synchronized void close() {
        asking.ifPresent(EventLoop::close);
    }
}
