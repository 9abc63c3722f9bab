package io.podwire.ipam.service;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/**
 * Where calls of many threads wait. One of these threads at a time serves all calls that have come till then, its own
 * among them; those that come meanwhile are the next batch, and the first of them serves it.
 */
final class CallLine {
    private final Duration patience;
    private final Server server;
    private final ReentrantLock lock = new ReentrantLock();
    private final List<Place> waiting = new ArrayList<>();
    private boolean serving;

    /** Answers calls. */
    @FunctionalInterface
    interface Server {
        /** Answers each of them, one thread at a time. */
        void serve(List<Call<?>> calls) throws InterruptedException;
    }

    private record Place(Call<?> call, Condition changed) {}

    /**
     * An empty line.
     *
     * @param patience how long a call waits before it is served
     */
    CallLine(Duration patience, Server server) {
        this.patience = patience;
        this.server = server;
    }

    /**
     * Returns when the call is answered.
     *
     * @throws ServiceException UNAVAILABLE when it was not served in time, or its thread was interrupted
     */
    void pass(Call<?> call) {
        List<Place> batch;
        lock.lock();
        try {
            Place own = new Place(call, lock.newCondition());
            waiting.add(own);
            await(own);
            if (call.answered()) {
                return;
            }
            serving = true;
            batch = List.copyOf(waiting);
            waiting.clear();
        } finally {
            lock.unlock();
        }
        Consumer<Call<?>> unanswered = _ -> {};
        try {
            server.serve(batch.stream().<Call<?>>map(Place::call).toList());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            unanswered = left -> left.fail(stopping(e));
        } catch (RuntimeException | Error e) {
            unanswered = left -> left.end(e);
        }
        served(batch, unanswered);
    }

    private void await(Place own) {
        long nanos = patience.toNanos();
        boolean interrupted = false;
        while (serving && !own.call().answered()) {
            boolean waits = waiting.contains(own);
            if (waits && (nanos <= 0 || interrupted)) {
                waiting.remove(own);
                own.call().fail(interrupted ? stopping(null) : late());
                break;
            }
            try {
                // One that is being served is answered in time: that is its server's part.
                long left = own.changed().awaitNanos(waits ? nanos : patience.toNanos());
                nanos = waits ? left : nanos;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void served(List<Place> batch, Consumer<Call<?>> unanswered) {
        lock.lock();
        try {
            serving = false;
            for (Place place : batch) {
                if (!place.call().answered()) {
                    unanswered.accept(place.call());
                }
                place.changed().signal();
            }
            if (!waiting.isEmpty()) {
                waiting.getFirst().changed().signal();
            }
        } finally {
            lock.unlock();
        }
    }

    private ServiceException late() {
        return new ServiceException(
                ErrorReason.UNAVAILABLE, "earlier calls waited for the store for " + patience + "; try again");
    }

    private static ServiceException stopping(InterruptedException cause) {
        return new ServiceException(ErrorReason.UNAVAILABLE, "the service stops; try again", cause);
    }
}
