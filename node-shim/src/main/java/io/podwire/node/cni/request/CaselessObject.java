package io.podwire.node.cni.request;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * A JSON object whose keys are matched without regard to case: containerd's structures have no JSON tags, so it sends
 * HostPort where CRI-O sends hostPort, and plugins written in Go read both. A null counts as missing. What is wrong is
 * named by its path.
 */
final class CaselessObject {
    private final String path;
    private final JsonNode object;

    private CaselessObject(String path, JsonNode object) {
        this.path = path;
        this.object = object;
    }

    /** An object. */
    static CaselessObject of(String path, ObjectNode object) {
        return new CaselessObject(path, object);
    }

    /** A value that must be an object. */
    static CaselessObject of(String path, JsonNode value) throws RequestException {
        if (value instanceof ObjectNode object) {
            return new CaselessObject(path, object);
        }
        throw RequestException.invalid(path, "it must be an object, got " + shown(value));
    }

    /** Path of a key, for messages. */
    String at(String key) {
        return path.isEmpty() ? key : path + "." + key;
    }

    /** The value of a key; empty when it is missing or null. */
    Optional<JsonNode> get(String key) throws RequestException {
        List<Map.Entry<String, JsonNode>> found = new ArrayList<>();
        object.properties().stream()
                .filter(entry -> entry.getKey().equalsIgnoreCase(key))
                .forEach(found::add);
        if (found.size() > 1) {
            throw RequestException.invalid(
                    at(key),
                    "it is there twice, as " + found.getFirst().getKey() + " and as "
                            + found.getLast().getKey());
        }
        return found.stream()
                .map(Map.Entry::getValue)
                .filter(value -> !value.isNull())
                .findFirst();
    }

    /** An object; without any key when it is missing. */
    CaselessObject object(String key) throws RequestException {
        Optional<JsonNode> value = get(key);
        return value.isPresent() ? of(at(key), value.get()) : new CaselessObject(at(key), MissingNode.getInstance());
    }

    /** The elements of a list; none when it is missing. */
    List<JsonNode> list(String key) throws RequestException {
        Optional<JsonNode> value = get(key);
        if (value.isEmpty()) {
            return List.of();
        }
        if (!value.get().isArray()) {
            throw RequestException.invalid(at(key), "it must be a list, got " + shown(value.get()));
        }
        List<JsonNode> elements = new ArrayList<>();
        value.get().forEach(elements::add);
        return elements;
    }

    /** The texts of a list; none when it is missing. */
    List<String> texts(String key) throws RequestException {
        List<String> texts = new ArrayList<>();
        for (JsonNode element : list(key)) {
            if (!element.isTextual()) {
                throw RequestException.invalid(at(key), "it must be a list of strings, one is " + shown(element));
            }
            texts.add(element.textValue());
        }
        return texts;
    }

    /** The names and texts of an object; none when it is missing. */
    Map<String, String> textByName(String key) throws RequestException {
        CaselessObject inner = object(key);
        Map<String, String> texts = new TreeMap<>();
        for (Map.Entry<String, JsonNode> entry : inner.object.properties()) {
            if (!entry.getValue().isTextual() && !entry.getValue().isIntegralNumber()) {
                throw RequestException.invalid(
                        inner.at(entry.getKey()), "it must be a string, got " + shown(entry.getValue()));
            }
            texts.put(entry.getKey(), entry.getValue().asText());
        }
        return texts;
    }

    /** A text; empty text when it is missing. */
    String text(String key) throws RequestException {
        Optional<JsonNode> value = get(key);
        if (value.isPresent() && !value.get().isTextual()) {
            throw RequestException.invalid(at(key), "it must be a string, got " + shown(value.get()));
        }
        return value.map(JsonNode::textValue).orElse("");
    }

    /** True or false; false when it is missing. */
    boolean flag(String key) throws RequestException {
        Optional<JsonNode> value = get(key);
        if (value.isPresent() && !value.get().isBoolean()) {
            throw RequestException.invalid(at(key), "it must be true or false, got " + shown(value.get()));
        }
        return value.map(JsonNode::booleanValue).orElse(false);
    }

    /** A whole number of a range; empty when it is missing. */
    OptionalLong number(String key, long from, long to) throws RequestException {
        Optional<JsonNode> value = get(key);
        if (value.isEmpty()) {
            return OptionalLong.empty();
        }
        // Go's encoding/json refuses 80.0 for an integer too.
        if (!value.get().isIntegralNumber()
                || !value.get().canConvertToLong()
                || value.get().longValue() < from
                || value.get().longValue() > to) {
            throw RequestException.invalid(
                    at(key), "it must be a whole number from " + from + " to " + to + ", got " + shown(value.get()));
        }
        return OptionalLong.of(value.get().longValue());
    }

    private static String shown(JsonNode value) {
        String text = value.toString();
        return text.length() <= 100 ? text : text.substring(0, 100) + "...";
    }
}
