package io.podwire.cli.conformance;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.cli.Table;
import io.podwire.cli.conformance.TickResult.Outcome;
import io.podwire.cli.lab.CniExecution;
import io.podwire.cli.lab.CniVersion;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** What came of all checks, for people and for programs. */
public final class Report {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern VARYING =
            Pattern.compile("([0-9a-f]{2}:){5}[0-9a-f]{2}|[0-9a-f]{8,}|\\b[0-9]+(\\.[0-9]+){3}\\b|\\b[0-9]+\\b");
    private static final int SHOWN_LINES = 6;
    private static final int SHOWN_LENGTH = 600;

    private final Setup setup;
    private final List<Check> checks;
    private final List<TickResult> results;

    Report(Setup setup, List<Check> checks, List<TickResult> results) {
        this.setup = setup;
        this.checks = List.copyOf(checks);
        this.results = List.copyOf(results);
    }

    /** Every result, version by version. */
    public List<TickResult> results() {
        return results;
    }

    /** One result; empty where the tick is not tested in the version. */
    public Optional<TickResult> result(String tick, CniVersion version) {
        return results.stream()
                .filter(result -> result.tick().equals(tick) && result.version() == version)
                .findFirst();
    }

    /** True when a tick failed in any version. */
    public boolean failed() {
        return count(Outcome.FAIL) > 0;
    }

    private long count(Outcome outcome) {
        return results.stream().filter(result -> result.outcome() == outcome).count();
    }

    /** How many of each, in one line. */
    public String summary() {
        long specification = results.stream()
                .filter(result -> result.outcome() == Outcome.FAIL)
                .filter(result -> check(result.tick()).authority() == Check.Authority.SPEC)
                .count();
        return count(Outcome.PASS) + " passed, " + count(Outcome.FAIL) + " failed (" + specification
                + " of them against the specification itself), " + count(Outcome.SKIP) + " skipped";
    }

    private Check check(String id) {
        return checks.stream()
                .filter(check -> check.id().equals(id))
                .findFirst()
                .orElseThrow();
    }

    /** A table of ticks and versions, then every failure with its evidence, every skip with its reason. */
    public String text() {
        StringBuilder text = new StringBuilder();
        text.append("chain ")
                .append(String.join(", ", setup.network().plugins()))
                .append('\n')
                .append('\n');
        text.append(table().text());
        failures(text);
        skips(text);
        return text.append('\n').append(summary()).append('\n').toString();
    }

    private Table table() {
        List<String> headings = new ArrayList<>(List.of("TICK"));
        setup.versions().forEach(version -> headings.add(version.text()));
        headings.add("RULE");
        Table table = new Table(headings.toArray(String[]::new));
        for (Check check : checks) {
            List<String> row = new ArrayList<>(List.of(check.id()));
            for (CniVersion version : setup.versions()) {
                row.add(result(check.id(), version)
                        .map(result -> switch (result.outcome()) {
                            case PASS -> "pass";
                            case FAIL -> "FAIL";
                            case SKIP -> "skip";
                        })
                        .orElse(""));
            }
            row.add(check.says());
            table.row(row.toArray());
        }
        return table;
    }

    /** A problem that several versions have in common is told once, with the evidence of the first. */
    private record Problem(Finding finding, List<CniVersion> versions) {}

    private List<Problem> problems(Check check) {
        Map<String, Problem> problems = new LinkedHashMap<>();
        for (TickResult result : results) {
            if (!result.tick().equals(check.id())) {
                continue;
            }
            for (Finding finding : result.findings()) {
                Problem problem = problems.computeIfAbsent(
                        general(finding.problem()), _ -> new Problem(finding, new ArrayList<>()));
                if (!problem.versions().contains(result.version())) {
                    problem.versions().add(result.version());
                }
            }
        }
        return List.copyOf(problems.values());
    }

    /** The problem without what differs from run to run: MAC addresses, ids, IPv4 addresses, numbers. */
    private static String general(String problem) {
        return VARYING.matcher(problem).replaceAll("#");
    }

    private void failures(StringBuilder text) {
        for (Check check : checks) {
            List<Problem> problems = problems(check);
            if (problems.isEmpty()) {
                continue;
            }
            text.append('\n')
                    .append(check.id())
                    .append(" FAILED: ")
                    .append(check.says())
                    .append('\n')
                    .append("  (")
                    .append(check.authority().title())
                    .append("; tested: ")
                    .append(check.how())
                    .append(")\n");
            for (Problem problem : problems) {
                text.append("  * ")
                        .append(problem.finding().problem().replace("\n", " "))
                        .append(" [")
                        .append(problem.versions().stream()
                                .map(CniVersion::text)
                                .collect(Collectors.joining(", ")))
                        .append("]\n");
                problem.finding().evidence().forEach(execution -> evidence(text, execution));
            }
        }
    }

    private static void evidence(StringBuilder text, CniExecution execution) {
        text.append("      ")
                .append(execution.plugin())
                .append(" ended with ")
                .append(execution.exitCode())
                .append(" after ")
                .append(execution.took().toMillis())
                .append(" ms\n");
        String env = execution.env().entrySet().stream()
                .map(variable -> variable.getKey() + "='" + variable.getValue() + "'")
                .collect(Collectors.joining(" "));
        part(text, "env", env);
        part(text, "stdin", execution.stdin());
        part(text, "stdout", execution.stdout());
        part(text, "stderr", execution.stderr());
    }

    private static void part(StringBuilder text, String name, String content) {
        if (content.isBlank()) {
            return;
        }
        String indent = "      " + " ".repeat(9);
        text.append("      ")
                .append(name)
                .append(" ".repeat(9 - name.length()))
                .append(cut(content).replace("\n", "\n" + indent))
                .append('\n');
    }

    private static String cut(String content) {
        List<String> lines = content.strip().lines().toList();
        String kept = String.join("\n", lines.subList(0, Math.min(SHOWN_LINES, lines.size())));
        if (kept.length() > SHOWN_LENGTH) {
            return kept.substring(0, SHOWN_LENGTH) + " ...";
        }
        return lines.size() > SHOWN_LINES ? kept + "\n... " + (lines.size() - SHOWN_LINES) + " more lines" : kept;
    }

    private void skips(StringBuilder text) {
        Map<String, List<String>> reasons = new LinkedHashMap<>();
        for (TickResult result : results) {
            if (result.outcome() == Outcome.SKIP) {
                List<String> ticks = reasons.computeIfAbsent(result.reason(), _ -> new ArrayList<>());
                if (!ticks.contains(result.tick())) {
                    ticks.add(result.tick());
                }
            }
        }
        if (!reasons.isEmpty()) {
            text.append("\nskipped:\n");
            reasons.forEach((reason, ticks) -> text.append("  ")
                    .append(String.join(", ", ticks))
                    .append(": ")
                    .append(reason)
                    .append('\n'));
        }
    }

    /** Everything as one JSON object. */
    public String json() {
        ObjectNode report = JSON.createObjectNode();
        ArrayNode chain = report.putArray("chain");
        setup.network().plugins().forEach(chain::add);
        report.putObject("count")
                .put("pass", count(Outcome.PASS))
                .put("fail", count(Outcome.FAIL))
                .put("skip", count(Outcome.SKIP));
        ArrayNode ticks = report.putArray("ticks");
        for (Check check : checks) {
            ticks.addObject()
                    .put("id", check.id())
                    .put("authority", check.authority().title())
                    .put("says", check.says())
                    .put("how", check.how());
        }
        ArrayNode all = report.putArray("results");
        for (TickResult result : results) {
            ObjectNode one = all.addObject()
                    .put("tick", result.tick())
                    .put("cniVersion", result.version().text())
                    .put("result", result.outcome().name().toLowerCase(java.util.Locale.ROOT));
            if (!result.reason().isEmpty()) {
                one.put("reason", result.reason());
            }
            if (!result.findings().isEmpty()) {
                ArrayNode findings = one.putArray("findings");
                result.findings()
                        .forEach(finding ->
                                executions(findings.addObject().put("problem", finding.problem()), finding.evidence()));
            } else if (!result.last().isEmpty()) {
                executions(one, result.last());
            }
        }
        try {
            return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(report) + "\n";
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree always prints", e);
        }
    }

    private static void executions(ObjectNode parent, List<CniExecution> executions) {
        ArrayNode evidence = parent.putArray("evidence");
        for (CniExecution execution : executions) {
            ObjectNode one = evidence.addObject().put("plugin", execution.plugin());
            ObjectNode env = one.putObject("env");
            execution.env().forEach(env::put);
            one.put("stdin", cut(execution.stdin()))
                    .put("exitCode", execution.exitCode())
                    .put("stdout", cut(execution.stdout()))
                    .put("stderr", cut(execution.stderr()))
                    .put("milliseconds", execution.took().toMillis());
        }
    }
}
