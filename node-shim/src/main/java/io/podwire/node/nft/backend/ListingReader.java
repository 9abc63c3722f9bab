package io.podwire.node.nft.backend;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.node.nft.diff.ListedTable;
import io.podwire.node.nft.model.TableId;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/** Reads "nft -j list table", libnftables-json(5), of one of our tables. */
final class ListingReader {
    private final SortedMap<String, String> digests = new TreeMap<>();
    private final SortedMap<String, Integer> rules = new TreeMap<>();
    private final SortedMap<String, SortedSet<String>> sets = new TreeMap<>();
    private final SortedSet<String> maps = new TreeSet<>();
    private final SortedMap<ListedTable.CounterKey, ListedTable.Counter> counters = new TreeMap<>();

    private ListingReader() {}

    static ListedTable read(TableId table, JsonNode objects) {
        ListingReader reader = new ListingReader();
        for (JsonNode object : objects) {
            reader.add(object);
        }
        reader.rules.forEach((chain, count) -> reader.digests.merge(chain, " +" + (count - 1), String::concat));
        return new ListedTable(table, reader.digests, reader.sets, reader.maps, reader.counters);
    }

    private void add(JsonNode object) {
        if (object.has("chain")) {
            digests.putIfAbsent(object.path("chain").path("name").asText(), "");
        } else if (object.has("rule")) {
            addRule(object.path("rule"));
        } else if (object.has("set")) {
            addSet(object.path("set"));
        } else if (object.has("map")) {
            addSet(object.path("map"));
            maps.add(object.path("map").path("name").asText());
        }
    }

    private void addRule(JsonNode rule) {
        String chain = rule.path("chain").asText();
        String comment = rule.path("comment").asText();
        if (rules.merge(chain, 1, Integer::sum) == 1) {
            digests.put(chain, comment);
        }
        for (JsonNode expression : rule.path("expr")) {
            if (expression.has("counter") && !comment.isEmpty()) {
                JsonNode counter = expression.path("counter");
                counters.put(
                        new ListedTable.CounterKey(chain, comment),
                        new ListedTable.Counter(
                                counter.path("packets").asLong(),
                                counter.path("bytes").asLong()));
            }
        }
    }

    private void addSet(JsonNode set) {
        SortedSet<String> members = new TreeSet<>();
        for (JsonNode element : set.path("elem")) {
            members.add(
                    element.isArray() && element.size() == 2 // of a map: key, value
                            ? element(element.get(0), set.path("type")) + " : " + value(element.get(1))
                            : element(element, set.path("type")));
        }
        sets.put(set.path("name").asText(), members);
    }

    /**
     * A member as our writer spells it. Anything else, such as a range that nobody of us wrote, stays JSON.
     *
     * @param types of its parts, when it has several
     */
    private static String element(JsonNode element, JsonNode types) {
        if (element.isTextual() || element.isNumber()) {
            return element.asText();
        }
        if (element.has("prefix")) {
            return element.path("prefix").path("addr").asText() + "/"
                    + element.path("prefix").path("len").asInt();
        }
        if (element.has("range")) {
            JsonNode range = element.path("range");
            return range.path(0).asText() + "-" + range.path(1).asText();
        }
        if (element.has("concat")) {
            List<String> parts = new ArrayList<>();
            for (JsonNode part : element.path("concat")) {
                boolean name = types.path(parts.size()).asText().equals("ifname");
                parts.add(name ? "\"" + part.asText() + "\"" : part.asText());
            }
            return String.join(" . ", parts);
        }
        return element.toString();
    }

    private static String value(JsonNode value) {
        if (value.has("concat")) {
            return element(value, value.path("concat"));
        }
        String name = value.fieldNames().hasNext() ? value.fieldNames().next() : "";
        JsonNode target = value.path(name).path("target");
        return target.isTextual() ? name + " " + target.asText() : name;
    }
}
