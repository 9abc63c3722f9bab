package io.podwire.node.dataplane;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.Rtnetlink;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * Waits for what the kernel does on threads of its own after it has answered a change. They need the lock that all changes
 * need: on a node where many pods come and go they may be late by hundreds of milliseconds, and a pod that was told
 * that it is attached loses its first packets meanwhile.
 */
final class KernelThreads {
    private static final int POLLS = 5000;
    private static final Duration POLL = Duration.ofMillis(1);

    private KernelThreads() {}

    /**
     * Waits until the IPv6 addresses of an attachment can be reached; IPv4 ones can at once.
     *
     * @param in the pod
     * @throws IllegalStateException when they cannot within seconds
     */
    static void awaitArrival(Rtnetlink in, Attachment attachment) {
        attachment.addresses().stream()
                .filter(address -> address.family() == IpFamily.V6)
                .forEach(address -> await(() -> in.arrives(address), unreachable(address)));
    }

    private static String unreachable(IpAddress address) {
        return address + " is in the container, but the kernel has made no route to it";
    }

    /**
     * Waits for the kernel.
     *
     * @param failure what is wrong where it has not done it within seconds
     * @throws IllegalStateException then
     */
    static void await(BooleanSupplier done, String failure) {
        for (int i = 0; i < POLLS; i++) {
            if (done.getAsBoolean()) {
                return;
            }
            LockSupport.parkNanos(POLL.toNanos());
        }
        throw new IllegalStateException(failure + " after " + POLLS + " looks, 1 ms apart");
    }
}
