package io.podwire.cli.conformance;

import io.podwire.cli.conformance.TickResult.Outcome;
import io.podwire.cli.lab.CniExecution;
import io.podwire.cli.lab.CniVersion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** Puts a chain of plugins to the test: every check in every version, one after the other. One thread. */
public final class Conformance {
    /** The check that tells of an ordinary ADD; without one the others have nothing to look at. */
    private static final String ORDINARY_ADD = "A1";

    private static final String SPOKEN = "V1";

    private final Setup setup;
    private final Namespace host;

    private Conformance(Setup setup) {
        this.setup = setup;
        host = setup.hostNetns().map(Namespace::at).orElseGet(Namespace::own);
    }

    /**
     * Tests a chain.
     *
     * @param progress is told which version is tested now
     * @throws IOException when the tester's own files cannot be written
     */
    public static Report run(Setup setup, Consumer<CniVersion> progress) throws IOException {
        return new Conformance(setup).run(progress);
    }

    private Report run(Consumer<CniVersion> progress) throws IOException {
        List<Check> checks = Check.all().stream()
                .filter(check -> setup.ticks().isEmpty() || setup.ticks().contains(check.id()))
                .toList();
        List<TickResult> results = new ArrayList<>();
        Path folder = Files.createTempDirectory("podwire-conformance");
        try {
            for (CniVersion version : setup.versions()) {
                progress.accept(version);
                Delegate delegate = new Delegate(folder.resolve(version.text()), version);
                Bench bench = new Bench(setup, version, host, delegate);
                bench.prepare();
                for (Check check : checks) {
                    if (version.atLeast(check.since())) {
                        results.add(run(check, bench));
                    }
                }
            }
        } finally {
            delete(folder);
        }
        return new Report(setup, checks, results);
    }

    private static TickResult run(Check check, Bench bench) {
        Optional<String> silent = bench.silent();
        if (silent.isPresent() && !check.id().equals(SPOKEN)) {
            return skip(check, bench, silent.get() + " does not speak " + bench.version() + ", see " + SPOKEN);
        }
        Optional<CniExecution> failed = bench.failedSample();
        if (failed.isPresent() && !check.id().equals(SPOKEN)) {
            // In the two oldest versions there is no other check than that of the result.
            String told = bench.version().atLeast(CniVersion.V0_3_0) ? ORDINARY_ADD : check.id();
            return check.id().equals(told)
                    ? new TickResult(
                            check.id(),
                            bench.version(),
                            Outcome.FAIL,
                            "",
                            List.of(new Finding(
                                    "an ordinary ADD fails: " + failed.get().errorText(), List.of(failed.get()))),
                            List.of())
                    : skip(check, bench, "an ordinary ADD fails, see " + told);
        }
        try (Probe probe = new Probe(bench)) {
            String reason = "";
            try {
                check.body().run(probe);
            } catch (Skipped e) {
                reason = e.getMessage();
            } catch (Halted _) {
                // The probe has the finding.
            }
            List<Finding> findings = probe.findings();
            Outcome outcome = !findings.isEmpty() ? Outcome.FAIL : reason.isEmpty() ? Outcome.PASS : Outcome.SKIP;
            return new TickResult(
                    check.id(),
                    bench.version(),
                    outcome,
                    outcome == Outcome.SKIP ? reason : "",
                    findings,
                    probe.lastExecution().stream().toList());
        }
    }

    private static TickResult skip(Check check, Bench bench, String reason) {
        return new TickResult(check.id(), bench.version(), Outcome.SKIP, reason, List.of(), List.of());
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
