package io.podwire.policy.watch;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * An API server of some kinds that lists and watches, and that does on request what real ones do at bad times: a watch
 * falls silent, is told that its version is gone, or a list comes back empty. Watches are plain HTTP streams. It has
 * ClusterNetworkPolicies where it is told to.
 */
final class FakeApiServer implements AutoCloseable {
    static final String PODS = "/api/v1/pods";
    static final String NAMESPACES = "/api/v1/namespaces";
    static final String NODES = "/api/v1/nodes";
    static final String POLICIES = "/apis/networking.k8s.io/v1/networkpolicies";
    static final String SERVICES = "/api/v1/services";
    static final String SLICES = "/apis/discovery.k8s.io/v1/endpointslices";
    static final String CLUSTER_POLICIES = "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies";
    private static final String CLUSTER_POLICIES_API = "/apis/policy.networking.k8s.io/v1alpha2";

    /** A kind, and the version of its API. */
    private record Kind(String version, String name) {}

    private static final Map<String, Kind> KINDS = Map.of(
            PODS, new Kind("v1", "Pod"),
            NAMESPACES, new Kind("v1", "Namespace"),
            NODES, new Kind("v1", "Node"),
            POLICIES, new Kind("networking.k8s.io/v1", "NetworkPolicy"),
            SERVICES, new Kind("v1", "Service"),
            SLICES, new Kind("discovery.k8s.io/v1", "EndpointSlice"),
            CLUSTER_POLICIES, new Kind("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy"));

    /** What it says when it is asked whether it has ClusterNetworkPolicies. */
    enum Has {
        YES,
        NO,
        FAILS
    }

    private final KubernetesSerialization json = new KubernetesSerialization();
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final HttpServer server;
    private final Map<String, Map<String, HasMetadata>> objects = new TreeMap<>();
    private final Map<String, List<OutputStream>> watches = new TreeMap<>();
    private final Map<String, Integer> lists = new TreeMap<>();
    private final Map<String, Integer> empty = new TreeMap<>();
    private long version = 100;
    private boolean silent;
    private Has clusterPolicies = Has.NO;
    private int asked;
    private int statuses;
    private boolean closed;

    FakeApiServer() {
        try {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        KINDS.keySet().forEach(path -> {
            objects.put(path, new TreeMap<>());
            watches.put(path, new ArrayList<>());
            server.createContext(path, this::handle);
        });
        server.createContext(CLUSTER_POLICIES_API, this::resources);
        server.setExecutor(threads);
        server.start();
    }

    KubernetesClient client() {
        return new KubernetesClientBuilder()
                .withConfig(new ConfigBuilder()
                        .withAutoConfigure(false)
                        .withMasterUrl("http://127.0.0.1:" + server.getAddress().getPort())
                        .withWatchReconnectInterval(20)
                        .withOnlyHttpWatches(true)
                        .build())
                .build();
    }

    /** Adds or replaces an object, and tells watches unless they are silent. */
    synchronized void put(String path, HasMetadata object) {
        object.getMetadata().setResourceVersion(String.valueOf(++version));
        HasMetadata before = objects.get(path).put(name(object), object);
        tell(path, before == null ? "ADDED" : "MODIFIED", object);
    }

    /** Removes an object, and tells watches unless they are silent. */
    synchronized void delete(String path, String namespace, String name) {
        HasMetadata object = objects.get(path).remove(namespace + "/" + name);
        object.getMetadata().setResourceVersion(String.valueOf(++version));
        tell(path, "DELETED", object);
    }

    /** Watches that are open now stay open, and hear nothing any more. */
    synchronized void silence() {
        silent = true;
        watches.values().forEach(List::clear);
    }

    /** Bookmarks on every watch. */
    synchronized void bookmark() {
        version++;
        watches.keySet().forEach(path -> write(path, bookmark(path, version)));
    }

    private static String bookmark(String path, long at) {
        Kind kind = KINDS.get(path);
        return """
                {"type":"BOOKMARK","object":{"apiVersion":"%s","kind":"%s","metadata":{"resourceVersion":"%d"}}}
                """.formatted(kind.version(), kind.name(), at);
    }

    /** The next so many lists of a kind are empty. */
    synchronized void emptyLists(String path, int times) {
        empty.put(path, times);
    }

    /** Every watch is told 410 and ends. */
    synchronized void gone() {
        watches.keySet().forEach(path -> {
            write(path, """
                    {"type":"ERROR","object":{"apiVersion":"v1","kind":"Status","status":"Failure","code":410,\
                    "reason":"Expired","message":"too old resource version"}}
                    """);
            end(path);
        });
    }

    /** Every watch ends without a word, as when a connection breaks. */
    synchronized void cut() {
        watches.keySet().forEach(this::end);
    }

    synchronized int watching(String path) {
        return watches.get(path).size();
    }

    synchronized int lists(String path) {
        return lists.getOrDefault(path, 0);
    }

    private void end(String path) {
        watches.get(path).forEach(out -> {
            try {
                out.close();
            } catch (IOException e) {
                // It went first.
            }
        });
        watches.get(path).clear();
    }

    private void tell(String path, String type, HasMetadata object) {
        if (!silent) {
            write(path, "{\"type\":\"" + type + "\",\"object\":" + json.asJson(object) + "}\n");
        }
    }

    private void write(String path, String line) {
        watches.get(path).removeIf(out -> {
            try {
                out.write((line.strip() + "\n").getBytes(StandardCharsets.UTF_8));
                out.flush();
                return false;
            } catch (IOException e) {
                return true;
            }
        });
    }

    private static String name(HasMetadata object) {
        return object.getMetadata().getNamespace() + "/" + object.getMetadata().getName();
    }

    /** Whether it has ClusterNetworkPolicies from now on. */
    synchronized void clusterPolicies(Has has) {
        clusterPolicies = has;
    }

    /** How often somebody asked whether it has them. */
    synchronized int asked() {
        return asked;
    }

    private synchronized Has has() {
        return clusterPolicies;
    }

    private void resources(HttpExchange exchange) throws IOException {
        synchronized (this) {
            asked++;
        }
        byte[] list = """
                {"apiVersion":"v1","kind":"APIResourceList","groupVersion":"policy.networking.k8s.io/v1alpha2",\
                "resources":[{"name":"clusternetworkpolicies","kind":"ClusterNetworkPolicy","namespaced":false,"verbs":[]}]}
                """.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        switch (has()) {
            case YES -> {
                exchange.sendResponseHeaders(200, list.length);
                exchange.getResponseBody().write(list);
            }
            case NO -> exchange.sendResponseHeaders(404, -1);
            case FAILS -> exchange.sendResponseHeaders(403, -1);
        }
        exchange.close();
    }

    private void handle(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        if (path.equals(CLUSTER_POLICIES) && has() == Has.NO) {
            exchange.sendResponseHeaders(404, -1);
            exchange.close();
            return;
        }
        if (path.endsWith("/status")) {
            status(path, exchange);
            return;
        }
        String query = String.valueOf(exchange.getRequestURI().getQuery());
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        if (!query.contains("watch=true")) {
            byte[] list = list(path).getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, list.length);
            exchange.getResponseBody().write(list);
            exchange.close();
        } else {
            exchange.sendResponseHeaders(200, 0);
            OutputStream out = exchange.getResponseBody();
            out.flush();
            begin(path, query, out);
        }
    }

    /** Takes the status of a cluster-wide policy, as the only one who applies any. */
    private void status(String path, HttpExchange exchange) throws IOException {
        String[] parts = path.split("/", -1);
        GenericKubernetesResource applied = json.unmarshal(exchange.getRequestBody(), GenericKubernetesResource.class);
        synchronized (this) {
            HasMetadata before = objects.get(CLUSTER_POLICIES).get("null/" + parts[parts.length - 2]);
            if (before == null) {
                exchange.sendResponseHeaders(404, -1);
            } else {
                statuses++;
                GenericKubernetesResource object = json.clone((GenericKubernetesResource) before);
                object.setAdditionalProperty("status", applied.get("status"));
                put(CLUSTER_POLICIES, object);
                exchange.sendResponseHeaders(200, 0);
                exchange.getResponseBody().write(json.asJson(object).getBytes(StandardCharsets.UTF_8));
            }
        }
        exchange.close();
    }

    /** How many statuses it was sent. */
    synchronized int statuses() {
        return statuses;
    }

    /** The status of a cluster-wide policy; null without one. */
    synchronized Object status(String name) {
        return ((GenericKubernetesResource) objects.get(CLUSTER_POLICIES).get("null/" + name)).get("status");
    }

    private synchronized String list(String path) {
        lists.merge(path, 1, Integer::sum);
        List<HasMetadata> items = new ArrayList<>(objects.get(path).values());
        if (empty.getOrDefault(path, 0) > 0) {
            empty.merge(path, -1, Integer::sum);
            items.clear();
        }
        Kind kind = KINDS.get(path);
        return "{\"apiVersion\":\"" + kind.version() + "\",\"kind\":\"" + kind.name()
                + "List\",\"metadata\":{\"resourceVersion\":\"" + version + "\"},\"items\":" + json.asJson(items) + "}";
    }

    /** A watch that begins at a version hears at once of what is newer. */
    private synchronized void begin(String path, String query, OutputStream out) throws IOException {
        if (closed) {
            out.close();
            return;
        }
        silent = false;
        long from = Long.parseLong(query.replaceAll(".*resourceVersion=([0-9]+).*", "$1"));
        // The answer's headers go out with the first byte.
        out.write(bookmark(path, from).getBytes(StandardCharsets.UTF_8));
        out.flush();
        watches.get(path).add(out);
        for (HasMetadata object : objects.get(path).values()) {
            if (Long.parseLong(object.getMetadata().getResourceVersion()) > from) {
                tell(path, "ADDED", object);
            }
        }
    }

    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            cut();
        }
        server.stop(0);
        threads.shutdownNow();
    }
}
