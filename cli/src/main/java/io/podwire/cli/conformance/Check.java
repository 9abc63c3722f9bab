package io.podwire.cli.conformance;

import io.podwire.cli.lab.CniVersion;
import java.util.List;
import java.util.stream.Stream;

/**
 * One tick: a rule for plugins, and how it is put to the test.
 *
 * @param id a letter and a number: V version, I input, A ADD, D DEL, C CHECK, G GC, S STATUS, O output, R runtimeConfig
 * @param authority who says so
 * @param says the rule, one sentence
 * @param how what is done and looked at, one sentence
 * @param since the first version it is tested in
 * @param body the test; it reports to the probe
 */
record Check(String id, Authority authority, String says, String how, CniVersion since, Body body) {
    /** Who wants a rule to be kept. */
    enum Authority {
        /** The CNI specification 1.1. */
        SPEC("CNI specification 1.1"),
        /** What the CNI library and the runtimes in use rely on, beyond the specification's words. */
        PRACTICE("runtimes and CNI library");

        private final String title;

        Authority(String title) {
            this.title = title;
        }

        String title() {
            return title;
        }
    }

    /** What a check does. */
    @FunctionalInterface
    interface Body {
        /** Tests one version; findings go to the probe. */
        void run(Probe probe);
    }

    /** Every check, in the order of a report. */
    static List<Check> all() {
        return Stream.of(
                        VersionChecks.all(),
                        InputChecks.all(),
                        AddChecks.all(),
                        DelChecks.all(),
                        CheckChecks.all(),
                        GcChecks.all(),
                        StatusChecks.all(),
                        OutputChecks.all(),
                        CapabilityChecks.all())
                .flatMap(List::stream)
                .toList();
    }
}
