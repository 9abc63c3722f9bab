package io.podwire.ipam.source;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolSource;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What one file of manifests says of pools and namespaces. A field that is not known is refused: it may be a known one, misspelt.
 *
 * @param pools its pools
 * @param namespaces labels of its namespaces, by name
 * @param ignored its other objects, "kind name"
 */
record PoolManifest(List<Pool> pools, Map<String, Map<String, String>> namespaces, List<String> ignored) {
    private static final String API_VERSION = IpPool.GROUP + "/" + IpPool.VERSION;
    private static final String NAMESPACE = "Namespace";
    /** Kubernetes gives it to each namespace. */
    private static final String NAME_LABEL = "kubernetes.io/metadata.name";

    private static final Set<String> FIELDS = Set.of("apiVersion", "kind", "metadata", "spec", "status");
    private static final YAMLMapper STRICT = YAMLMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
            .build();

    PoolManifest {
        pools = List.copyOf(pools);
        namespaces = Map.copyOf(namespaces);
        ignored = List.copyOf(ignored);
    }

    /**
     * Reads YAML of any number of documents, or JSON; a list counts as its items.
     *
     * @param file the file's name, for the pools' source
     * @throws IllegalArgumentException when it cannot be read as a whole
     */
    static PoolManifest parse(String file, byte[] content) {
        List<Pool> pools = new ArrayList<>();
        Map<String, Map<String, String>> namespaces = new TreeMap<>();
        List<String> ignored = new ArrayList<>();
        String text = new String(content, StandardCharsets.UTF_8);
        try (MappingIterator<JsonNode> documents =
                STRICT.readerFor(JsonNode.class).readValues(text)) {
            while (documents.hasNextValue()) {
                add(documents.nextValue(), PoolSource.manifest(file), pools, namespaces, ignored);
            }
        } catch (IOException e) {
            throw new IllegalArgumentException(message(e), e);
        }
        return new PoolManifest(pools, namespaces, ignored);
    }

    private static String message(IOException e) {
        String words = e instanceof JsonProcessingException json ? json.getOriginalMessage() : e.getMessage();
        return String.valueOf(words).strip().replaceAll("\\s*\\R\\s*", " | ");
    }

    private static void add(
            JsonNode object,
            PoolSource source,
            List<Pool> pools,
            Map<String, Map<String, String>> namespaces,
            List<String> ignored) {
        String kind = object.path("kind").asText();
        if (object.isNull() || object.isMissingNode()) {
            return;
        }
        if (!object.isObject() || kind.isEmpty()) {
            throw new IllegalArgumentException("not a Kubernetes object: it has no kind");
        }
        if (kind.equals("List") || kind.equals(IpPool.KIND + "List") || kind.equals(NAMESPACE + "List")) {
            object.path("items").forEach(item -> add(item, source, pools, namespaces, ignored));
        } else if (kind.equals(IpPool.KIND)) {
            pools.add(pool(object, source));
        } else if (kind.equals(NAMESPACE)) {
            JsonNode metadata = object.path("metadata");
            String name = metadata.path("name").asText();
            if (name.isEmpty()) {
                throw new IllegalArgumentException("Namespace: metadata.name is missing");
            }
            Map<String, String> labels = new TreeMap<>();
            labels.put(NAME_LABEL, name);
            metadata.path("labels").forEachEntry((key, value) -> labels.put(key, value.asText()));
            namespaces.put(name, labels);
        } else {
            ignored.add(kind + " " + object.path("metadata").path("name").asText());
        }
    }

    private static Pool pool(JsonNode object, PoolSource source) {
        String name = object.path("metadata").path("name").asText();
        String which = "IPPool " + name + ": ";
        if (!object.path("apiVersion").asText().equals(API_VERSION)) {
            throw new IllegalArgumentException(which + "apiVersion must be " + API_VERSION + ", got '"
                    + object.path("apiVersion").asText() + "'");
        }
        for (Iterator<String> names = object.fieldNames(); names.hasNext(); ) {
            String field = names.next();
            if (!FIELDS.contains(field)) {
                throw new IllegalArgumentException(unknown(which, field, FIELDS));
            }
        }
        IpPool pool = new IpPool();
        pool.setMetadata(
                new ObjectMetaBuilder().withName(name.isEmpty() ? null : name).build());
        try {
            pool.setSpec(STRICT.treeToValue(object.path("spec"), IpPoolSpec.class));
        } catch (UnrecognizedPropertyException e) {
            throw new IllegalArgumentException(unknown(which, path(e), e.getKnownPropertyIds()), e);
        } catch (JsonMappingException e) {
            throw new IllegalArgumentException(which + path(e) + ": " + message(e), e);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(which + "spec: " + message(e), e);
        }
        return IpPoolMapping.pool(pool, source);
    }

    private static String unknown(String which, String field, Iterable<?> known) {
        List<String> fields = new ArrayList<>();
        known.forEach(one -> fields.add(one.toString()));
        return which + "there is no field " + field + ", only "
                + fields.stream().sorted().collect(Collectors.joining(", "));
    }

    private static String path(JsonMappingException e) {
        return "spec"
                + e.getPath().stream()
                        .map(at -> at.getFieldName() == null ? "[" + at.getIndex() + "]" : "." + at.getFieldName())
                        .collect(Collectors.joining());
    }
}
