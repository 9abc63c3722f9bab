package io.podwire.node.dataplane;

import io.podwire.node.bpf.BpfException;
import io.podwire.node.bpf.FastPathProgram;
import io.podwire.node.nft.backend.RuleChanges;
import java.time.Duration;
import java.util.Optional;

/**
 * What the fast path's program is told of the rules: that they are being changed, so that no packet takes a short cut
 * that they gave it before, and that somebody still keeps them. It has no program until {@link #use}; nothing takes a
 * short cut then.
 *
 * <p>Safe for all threads.
 */
public final class FastPath implements RuleChanges, AutoCloseable {
    /** How long packets take short cuts after the last {@link #renew}: some periods of the node's upkeep. */
    static final Duration LEASE = Duration.ofSeconds(15);

    private Optional<FastPathProgram> program = Optional.empty();
    private FastPathProgram.Fixed fixed = new FastPathProgram.Fixed(0, 0);
    private int changes;
    /** Odd while {@link #changes} is not 0. The program sees its lower 16 bits, and remembers them for a second. */
    private int epoch = 2;

    /**
     * Has this program told, from now on.
     *
     * @param node of the node that it is on
     */
    public synchronized void use(FastPathProgram told, FastPathProgram.Fixed node) throws BpfException {
        program = Optional.of(told);
        fixed = node;
        tell();
    }

    /** The program, once there is one. */
    synchronized Optional<FastPathProgram> program() {
        return program;
    }

    @Override
    public synchronized void begin() {
        if (changes++ == 0) {
            next();
        }
    }

    @Override
    public synchronized void end() {
        if (--changes == 0) {
            next();
        }
    }

    /** Forgets all short cuts: where packets go has changed, or may have. */
    public synchronized void forget() {
        begin();
        end();
    }

    /** Nothing takes a short cut any more: rules may change now that nobody tells of. */
    @Override
    public synchronized void close() {
        begin();
    }

    /** Has packets take short cuts for another {@link #LEASE}. */
    synchronized void renew() throws BpfException {
        tell();
    }

    private void next() {
        epoch++;
        // No stamp is 0.
        epoch = (epoch & 0xFFFF) == 0 ? epoch + 2 : epoch;
        try {
            tell();
        } catch (BpfException e) {
            throw new IllegalStateException("the fast path cannot be told that rules change, so they do not", e);
        }
    }

    private void tell() throws BpfException {
        if (program.isPresent()) {
            program.get().rules(epoch, fixed, LEASE);
        }
    }
}
