package io.podwire.cli.lab;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;

/**
 * One plugin that has run and ended.
 *
 * @param plugin its type
 * @param env what it found in its environment, PATH left out
 * @param stdin what it was given, bytes that are no UTF-8 replaced
 * @param took from its start to its end
 */
public record CniExecution(
        String plugin,
        Map<String, String> env,
        String stdin,
        int exitCode,
        String stdout,
        String stderr,
        Duration took) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Copies what could change. */
    public CniExecution {
        env = Collections.unmodifiableMap(new TreeMap<>(env));
    }

    /** True for exit code 0. */
    public boolean ok() {
        return exitCode == 0;
    }

    /** Its CNI_COMMAND; empty when it had none. */
    public String command() {
        return env.getOrDefault("CNI_COMMAND", "");
    }

    /** The one JSON value it printed; empty when it printed something else, or more. */
    public Optional<JsonNode> json() {
        try (var parser = JSON.createParser(stdout)) {
            JsonNode value = parser.readValueAsTree();
            return value == null || parser.nextToken() != null ? Optional.empty() : Optional.of(value);
        } catch (java.io.IOException _) {
            return Optional.empty();
        }
    }

    /** The code of the error object it printed; empty when it printed none. */
    public OptionalInt errorCode() {
        return json().map(error -> error.path("code"))
                .filter(JsonNode::isInt)
                .map(code -> OptionalInt.of(code.intValue()))
                .orElse(OptionalInt.empty());
    }

    /** Message and details of the error object it printed, or all it printed. */
    public String errorText() {
        return json().filter(JsonNode::isObject)
                .map(error -> (error.path("msg").asText() + " "
                                + error.path("details").asText())
                        .strip())
                .orElse((stdout + " " + stderr).strip());
    }

    /** Exit code and what was printed, in one line. */
    public String text() {
        return "exit code " + exitCode + ", " + (stdout + " " + stderr).strip().replace('\n', ' ');
    }

    /**
     * What it printed, as JSON.
     *
     * @throws IllegalStateException when it printed none
     */
    JsonNode parsed() {
        try {
            return JSON.readTree(stdout);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("the plugin printed no JSON: " + stdout, e);
        }
    }
}
