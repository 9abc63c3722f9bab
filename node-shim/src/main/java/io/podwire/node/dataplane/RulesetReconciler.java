package io.podwire.node.dataplane;

import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpFamily;
import io.podwire.node.nft.backend.NftBackend;
import io.podwire.node.nft.backend.NftException;
import io.podwire.node.nft.diff.ListedTable;
import io.podwire.node.nft.diff.NftDiff;
import io.podwire.node.nft.diff.Rewrite;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.Ruleset;
import io.podwire.node.nft.model.Table;
import io.podwire.node.nft.model.TableId;
import io.podwire.node.plan.DenialLog;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.EstablishedFlows;
import io.podwire.node.plan.LocalEndpoint;
import io.podwire.node.plan.Masquerade;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.RulesetInput;
import io.podwire.node.plan.RulesetPlanner;
import io.podwire.node.plan.WiringMode.HostSide;
import io.podwire.node.sched.BesideCaller;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the kernel's ruleset equal to the plan of the endpoints and the program.
 *
 * <p>The loop given to the constructor owns all state. Changes that arrive while a transaction is
 * being applied share the next one, so that a hundred ADDs at once are a handful of transactions.
 */
public final class RulesetReconciler {
    private static final Logger log = LoggerFactory.getLogger(RulesetReconciler.class);
    private static final Duration RETRY = Duration.ofSeconds(1);

    private final NftBackend backend;
    private final EventLoop loop;
    private final Set<IpFamily> families;
    private final int vxlanPort;
    private final EstablishedFlows established;
    private final boolean services;
    private final Masquerade masquerade;

    private final Optional<DenialLog> denials;
    private final RulesetPlanner planner;
    private final Map<EndpointKey, LocalEndpoint> endpoints = new TreeMap<>();
    private final Map<EndpointKey, CompletableFuture<Long>> uncovered = new TreeMap<>();
    private final List<CompletableFuture<Long>> nextApply = new ArrayList<>();
    /** Written by the loop. */
    private volatile Optional<NodeProgram> program = Optional.empty();

    private final List<Repair> repairs = new ArrayList<>();
    private Optional<Ruleset> applied = Optional.empty();
    private boolean scheduled;
    /** Whether pods off the bridge are expected; once they were, they are. */
    private boolean unbridged;

    private final BesideCaller beside = new BesideCaller();
    private volatile boolean unbridgedApplied;
    private volatile long revision;
    private volatile boolean healthy;

    /**
     * A reconciler that has not touched the kernel yet.
     *
     * @param backend belongs to the node's network namespace
     * @param families what pods have addresses of: that of every endpoint is among them
     * @param vxlanPort UDP port whose packets pods must not send
     * @param masquerade whose packets leave the cluster by the node's address
     */
    public RulesetReconciler(
            NftBackend backend, EventLoop loop, Set<IpFamily> families, int vxlanPort, Masquerade masquerade) {
        this(backend, loop, families, vxlanPort, masquerade, EstablishedFlows.JUDGE, false, Optional.empty());
    }

    /**
     * The same.
     *
     * @param established what becomes of open flows when policy changes
     * @param services true: pods are called by addresses of Services
     * @param denials where packets that policies deny are told; empty: nowhere
     */
    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // as in RulesetPlanner
    public RulesetReconciler(
            NftBackend backend,
            EventLoop loop,
            Set<IpFamily> families,
            int vxlanPort,
            Masquerade masquerade,
            EstablishedFlows established,
            boolean services,
            Optional<DenialLog> denials) {
        this.denials = denials;
        this.planner = new RulesetPlanner(denials);
        this.backend = backend;
        this.loop = loop;
        this.families = Set.copyOf(families);
        this.vxlanPort = vxlanPort;
        this.established = established;
        this.services = services;
        this.masquerade = masquerade;
    }

    /**
     * First sync: writes Podwire's rules into the tables that are there, under traffic.
     *
     * @param known the endpoints of the journal
     * @param last the program enforced last; {@link NodeProgram#EMPTY} when none is known yet; empty
     *     when the node enforces no policy
     */
    public void start(Collection<LocalEndpoint> known, Optional<NodeProgram> last) {
        loop.submit(() -> {
                    beside.here();
                    known.forEach(e -> endpoints.put(e.key(), e));
                    unbridged = known.stream().anyMatch(e -> e.hostSide() != HostSide.BRIDGE_PORT);
                    program = last;
                    apply();
                    return null;
                })
                .join();
    }

    /**
     * True when an endpoint would be covered by what is enforced now. Should that change before it is attached, it
     * waits for a program as any other.
     */
    public boolean expects(LocalEndpoint endpoint) {
        Optional<NodeProgram> now = program;
        return now.isEmpty() || now.get().covers(endpoint);
    }

    /**
     * Makes the kernel drop what comes from pods off the bridge that it does not know: call it before the first of
     * them is wired. For pods on the bridge it always does.
     *
     * @return completes when it does, fails when it refused
     */
    public CompletableFuture<Long> expectUnbridged() {
        if (unbridgedApplied) {
            return CompletableFuture.completedFuture(revision);
        }
        CompletableFuture<Long> done = new CompletableFuture<>();
        loop.execute(() -> {
            unbridged = true;
            nextApply.add(done);
            schedule();
        });
        return done;
    }

    /**
     * True when a policy isolates an endpoint whose mode keeps Podwire from enforcing that: others on its device reach
     * it, and it them, past the node.
     */
    public boolean isolatesInVain(LocalEndpoint endpoint) {
        boolean judged = switch (endpoint.hostSide()) {
            case BRIDGE_PORT, OWN_LINK -> true;
            case SHARED_DEVICE, NONE -> false;
        };
        return !judged
                && program.flatMap(now -> now.policy(endpoint))
                        .filter(policy ->
                                policy.ingress().isolated() || policy.egress().isolated())
                        .isPresent();
    }

    /** Adds an endpoint; see {@link #attach(LocalEndpoint, CompletableFuture)}. */
    public CompletableFuture<Long> attach(LocalEndpoint endpoint) {
        CompletableFuture<Long> covered = new CompletableFuture<>();
        attach(endpoint, covered);
        return covered;
    }

    /**
     * Adds an endpoint. Until the future completes, nothing passes to or from it.
     *
     * @param covered completes with the program's revision when the kernel enforces a program that covers
     *     the endpoint; fails when the kernel refused it, and the endpoint is forgotten then
     */
    public void attach(LocalEndpoint endpoint, CompletableFuture<Long> covered) {
        // Whoever attaches has the wiring to do meanwhile.
        beside.elsewhere();
        loop.execute(() -> {
            beside.anywhere();
            unbridged |= endpoint.hostSide() != HostSide.BRIDGE_PORT;
            endpoints.put(endpoint.key(), endpoint);
            uncovered.put(endpoint.key(), covered);
            if (isCovered(endpoint.key())) {
                schedule();
            }
            // Else the program that covers it brings both into the kernel in one transaction. A program mostly
            // expects the pod, and covers it before policy-service has heard of the endpoint.
        });
    }

    /** Removes an endpoint; completes when the kernel has forgotten it. */
    public CompletableFuture<Long> detach(EndpointKey key) {
        CompletableFuture<Long> done = new CompletableFuture<>();
        loop.execute(() -> {
            CompletableFuture<Long> waiter = uncovered.remove(key);
            if (waiter != null) {
                waiter.cancel(false);
            }
            if (endpoints.remove(key) == null) {
                done.complete(revision);
                return;
            }
            nextApply.add(done);
            schedule();
        });
        return done;
    }

    /** Takes the next program; completes when the kernel enforces it, fails when it refused. */
    public CompletableFuture<Long> program(NodeProgram next) {
        CompletableFuture<Long> done = new CompletableFuture<>();
        loop.execute(() -> {
            program = Optional.of(next);
            nextApply.add(done);
            schedule();
        });
        return done;
    }

    /** Revision of the program in the kernel; 0 when there is none. */
    public long revision() {
        return revision;
    }

    /** False while the kernel does not have what it should have. */
    public boolean healthy() {
        return healthy;
    }

    /**
     * Differences between what the kernel enforces for an endpoint and what it should: every chain of its
     * tables that it needs, and every member of their sets and maps. A look that finds some may have met a
     * change half seen, and is repeated on the loop, which makes all changes.
     */
    public List<Finding> check(EndpointKey key) {
        if (!healthy) {
            return List.of(new Finding("nft", "podwire", "the kernel refused the ruleset, see node-shim's log"));
        }
        List<Finding> seen = differences(loop.submit(() -> part(key)).join());
        return seen.isEmpty() ? seen : loop.submit(() -> differences(part(key))).join();
    }

    /** Differences between the kernel's tables as wholes and what they should be. Changes nothing. */
    public List<Finding> audit() {
        return loop.submit(() -> applied.map(this::drift)
                        .orElseGet(() -> List.of(
                                new Finding("nft", "podwire", "the kernel refused the ruleset, see node-shim's log"))))
                .join();
    }

    /** The ruleset as it was if this endpoint was alone on the node: a part of what is applied. */
    private Ruleset part(EndpointKey key) {
        List<LocalEndpoint> one = endpoints.containsKey(key) ? List.of(endpoints.get(key)) : List.of();
        return new RulesetPlanner(denials).plan(input(one));
    }

    private List<Finding> differences(Ruleset part) {
        List<Finding> findings = new ArrayList<>();
        for (Table table : part.tables().values()) {
            compare(
                    table,
                    (listed, wanted) -> listed.lacking(wanted).stream()
                            .map(what -> "lacks " + what)
                            .toList(),
                    findings);
        }
        return findings;
    }

    private void compare(
            Table table, BiFunction<ListedTable, ListedTable, List<String>> problems, List<Finding> findings) {
        String name = "table " + table.id();
        Optional<ListedTable> listed;
        try {
            listed = backend.list(table.id());
        } catch (NftException e) {
            findings.add(new Finding("nft", name, "cannot be read: " + e.getMessage()));
            return;
        }
        if (listed.isEmpty()) {
            findings.add(new Finding("nft", name, "is gone"));
        } else {
            problems.apply(listed.get(), ListedTable.expected(table))
                    .forEach(problem -> findings.add(new Finding("nft", name, problem)));
        }
    }

    /**
     * Compares the kernel's tables as wholes with what was written there, and writes them anew when
     * anything differs: traffic never meets a gap then.
     *
     * @return what was repaired since the last call; fails when the kernel cannot be asked, or refuses
     */
    public CompletableFuture<List<Repair>> resync() {
        return loop.submit(() -> resync(Optional.empty()));
    }

    /**
     * The same after another program's transaction in a table of Podwire's. A listing does not tell everything (a rule
     * in place of another, a table put to sleep), so all is written anew even where it shows no difference.
     *
     * @param program whose transaction it was
     */
    public CompletableFuture<List<Repair>> resyncAfter(String program) {
        return loop.submit(() -> resync(Optional.of(program)));
    }

    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // two kinds of look, not a missing argument
    private List<Repair> resync(Optional<String> by) throws NftException {
        // Without it a change was refused, and everything is written anew soon.
        if (applied.isPresent()) {
            Ruleset wanted = applied.get();
            List<Finding> found = drift(wanted);
            if (by.isPresent()) {
                found = found.isEmpty()
                        ? List.of(new Finding("nft", "tables of Podwire", "changed, by " + by.get()))
                        : found.stream()
                                .map(f -> new Finding(f.object(), f.name(), f.problem() + ", by " + by.get()))
                                .toList();
            }
            if (!found.isEmpty()) {
                rewrite(wanted, found);
            }
        }
        List<Repair> made = List.copyOf(repairs);
        repairs.clear();
        return made;
    }

    private List<Finding> drift(Ruleset wanted) {
        List<Finding> findings = new ArrayList<>();
        for (Table table : wanted.tables().values()) {
            compare(table, ListedTable::differences, findings);
        }
        return findings;
    }

    private void rewrite(Ruleset wanted, List<Finding> found) throws NftException {
        applied = Optional.empty();
        try {
            writeAnew(wanted);
        } catch (NftException e) {
            healthy = false;
            loop.schedule(RETRY, this::schedule);
            throw e;
        }
        applied = Optional.of(wanted);
        healthy = true;
        found.forEach(finding -> repairs.add(new Repair(finding, "all rules were written anew")));
    }

    private boolean isCovered(EndpointKey key) {
        return program.isEmpty() || program.get().covers(endpoints.get(key));
    }

    private void schedule() {
        if (!scheduled) {
            scheduled = true;
            loop.execute(() -> {
                scheduled = false;
                applyAndTell();
            });
        }
    }

    private void applyAndTell() {
        List<CompletableFuture<Long>> waiting = List.copyOf(nextApply);
        nextApply.clear();
        try {
            apply();
        } catch (NftException | IllegalArgumentException e) {
            // IllegalArgumentException: there is no such ruleset, as when an address has two owners.
            log.error("a ruleset change was refused; everything is written anew in {} s", RETRY.toSeconds(), e);
            waiting.forEach(w -> w.completeExceptionally(e));
            List.copyOf(uncovered.keySet()).stream().filter(this::isCovered).forEach(key -> {
                endpoints.remove(key);
                uncovered.remove(key).completeExceptionally(e);
            });
            loop.schedule(RETRY, this::schedule);
            return;
        }
        waiting.forEach(w -> w.complete(revision));
        List.copyOf(uncovered.keySet()).stream()
                .filter(this::isCovered)
                .forEach(key -> uncovered.remove(key).complete(revision));
    }

    private RulesetInput input(List<LocalEndpoint> of) {
        Optional<NodeProgram> enforced = program.map(p -> p.withArrived(endpoints.values()));
        return new RulesetInput(
                PodNames.BRIDGE, families, of, enforced, vxlanPort, unbridged, established, masquerade, services);
    }

    /** What is asked from another thread meanwhile, as CHECK does, is told of the last change that has ended. */
    private void apply() throws NftException {
        boolean done = false;
        try {
            applyNow();
            done = true;
        } finally {
            healthy = done;
        }
    }

    private void applyNow() throws NftException {
        Ruleset desired = planner.plan(input(List.copyOf(endpoints.values())));
        Optional<Ruleset> before = applied;
        // After a refusal the kernel's state is not known: the next try writes everything.
        applied = Optional.empty();
        if (before.isPresent()) {
            changeOrRepair(before.get(), desired);
        } else {
            writeAnew(desired);
        }
        applied = Optional.of(desired);
        unbridgedApplied = unbridged;
        revision = program.map(NodeProgram::revision).orElse(0L);
    }

    /** Writes all rules, whatever is there. */
    private void writeAnew(Ruleset desired) throws NftException {
        try {
            Map<TableId, ListedTable> found = new TreeMap<>();
            for (TableId id : desired.tables().keySet()) {
                backend.list(id).ifPresent(table -> found.put(id, table));
            }
            inSteps(Rewrite.of(found, desired));
        } catch (NftException e) {
            log.warn(
                    "the tables cannot become what they must be, they are replaced; a packet inside them may be lost:"
                            + " {}",
                    e.getMessage());
            backend.apply(Transaction.replaceAll(desired));
        }
    }

    private void inSteps(Transaction change) throws NftException {
        for (Transaction step : change.steps()) {
            backend.apply(step);
        }
    }

    /** A change that does not fit because others have changed the tables is none that the kernel refuses. */
    private void changeOrRepair(Ruleset before, Ruleset desired) throws NftException {
        Transaction change = NftDiff.between(before, desired);
        if (change.isEmpty()) {
            return;
        }
        try {
            inSteps(change);
        } catch (NftException e) {
            List<Finding> found = drift(before);
            if (found.isEmpty()) {
                throw e;
            }
            rewrite(desired, found);
        }
    }
}
