package io.podwire.node.cni;

import io.podwire.node.dataplane.BridgeWiring;
import io.podwire.node.dataplane.PodMtus;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.JournalException;
import io.podwire.node.netlink.NetlinkException;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Lock;
import java.util.function.IntSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the bridge and the pods at the MTU that the underlay leaves them, while it changes. A pod that asked for an MTU
 * keeps that. One thread calls it, again and again; what could not be done at one look is done at the next.
 */
public final class MtuFollower {
    private static final Logger log = LoggerFactory.getLogger(MtuFollower.class);

    private final Node node;
    private final BridgeWiring bridge;
    private final PodMtus mtus;
    private final AtomicInteger podMtu;
    private final int least;
    private final IntSupplier wanted;
    private final Runnable changed;
    private int tooSmall;

    /**
     * Follows for one node.
     *
     * @param podMtu what new pods get, in bytes; set here
     * @param least what pods need, in bytes
     * @param wanted what pods should have now, in bytes
     * @param changed called when that has changed, before any pod has it
     */
    public MtuFollower(
            Node node,
            BridgeWiring bridge,
            PodMtus mtus,
            AtomicInteger podMtu,
            int least,
            IntSupplier wanted,
            Runnable changed) {
        this.node = node;
        this.bridge = bridge;
        this.mtus = mtus;
        this.podMtu = podMtu;
        this.least = least;
        this.wanted = wanted;
        this.changed = changed;
    }

    /** Looks, and brings the bridge and every pod to what they should have. */
    public void look() {
        int now = wanted.getAsInt();
        if (now < least) {
            if (now != tooSmall) {
                log.error(
                        "the underlay leaves pods an MTU of {}, and they need {}: they keep {}, and longer packets to"
                                + " other nodes are lost",
                        now,
                        least,
                        podMtu.get());
            }
            tooSmall = now;
            return;
        }
        tooSmall = 0;
        int before = podMtu.getAndSet(now);
        if (before != now) {
            log.warn("the MTU of pods is {} from now on, it was {}", now, before);
            changed.run();
        }
        List<Attachment> others = node.attachments().all(Attachment.State.ATTACHED).stream()
                // Those on a device have what that takes.
                .filter(a -> a.mode().device().isEmpty())
                .filter(a -> a.request().mtu().isEmpty() && a.mtu() != now)
                .toList();
        // What sends to the pods has the smaller MTU first, and the greater one last.
        if (bridge.bridgeMtu() > now) {
            bridge.bridgeMtu(now);
        }
        others.forEach(a -> follow(a, now));
        if (bridge.bridgeMtu() < now) {
            bridge.bridgeMtu(now);
        }
    }

    private void follow(Attachment a, int mtu) {
        Lock lock = node.locks().get(a.key());
        if (!lock.tryLock()) {
            // A call is working on it: it is another one afterwards, or gone.
            return;
        }
        try (Netns pod = Netns.open(Path.of(a.netnsPath()))) {
            if (pod.inode() == a.netnsInode() && node.attachments().get(a.key()).equals(Optional.of(a))) {
                Attachment other = a.withMtu(mtu);
                mtus.set(a, pod, mtu);
                node.extras().reshape(other);
                node.attachments().update(other);
                log.info("{} has MTU {} now, it had {}", a.key(), mtu, a.mtu());
            }
        } catch (NetnsException e) {
            log.debug("{} is left as it is, its network namespace is gone", a.key(), e);
        } catch (NetlinkException | JournalException e) {
            log.warn("cannot give {} the MTU {} yet, trying again at the next look", a.key(), mtu, e);
        } finally {
            lock.unlock();
        }
    }
}
