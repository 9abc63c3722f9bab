package io.podwire.node.dataplane;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpServer;
import io.podwire.node.service.ServicePort;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers load balancers that ask at spec.healthCheckNodePort whether this node has endpoints of a Service: 200 and how
 * many, or 503. One thread changes it; requests come on others.
 */
public final class HealthChecks implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(HealthChecks.class);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int OK = 200;
    private static final int UNAVAILABLE = 503;

    private final Map<Integer, Served> servers = new HashMap<>();

    private record Answer(String service, int endpoints) {}

    private static final class Served {
        private final HttpServer server;
        private volatile Answer answer;

        Served(HttpServer server, Answer answer) {
            this.server = server;
            this.answer = answer;
        }
    }

    /** Serves what these ports ask for, and nothing else. A port that cannot be opened is logged, and tried at the next call. */
    public void update(Collection<ServicePort> ports) {
        Map<Integer, Answer> wanted = new TreeMap<>();
        ports.stream()
                .filter(port -> port.healthCheckNodePort() > 0)
                .forEach(port -> wanted.merge(
                        port.healthCheckNodePort(),
                        new Answer(port.service(), port.readyHere()),
                        (a, b) -> a.endpoints() >= b.endpoints() ? a : b));
        servers.entrySet().removeIf(entry -> {
            boolean gone = !wanted.containsKey(entry.getKey());
            if (gone) {
                entry.getValue().server.stop(0);
            }
            return gone;
        });
        wanted.forEach((port, answer) -> {
            Served served = servers.get(port);
            if (served == null) {
                open(port, answer);
            } else {
                served.answer = answer;
            }
        });
    }

    private void open(int port, Answer answer) {
        try {
            HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
            Served served = new Served(server, answer);
            server.createContext("/", exchange -> {
                Answer now = served.answer;
                byte[] body = body(now).getBytes(StandardCharsets.UTF_8);
                exchange.getResponseHeaders().set("Content-Type", "application/json");
                exchange.getResponseHeaders().set("X-Load-Balancing-Endpoint-Weight", String.valueOf(now.endpoints()));
                exchange.sendResponseHeaders(now.endpoints() > 0 ? OK : UNAVAILABLE, body.length);
                exchange.getResponseBody().write(body);
                exchange.close();
            });
            server.start();
            servers.put(port, served);
        } catch (IOException e) {
            log.error(
                    "nobody can ask for the health of service {} at its healthCheckNodePort {}: {}",
                    answer.service(),
                    port,
                    e.getMessage());
        }
    }

    /** As kube-proxy answers. */
    private static String body(Answer answer) {
        int slash = answer.service().indexOf('/');
        ObjectNode body = JSON.createObjectNode();
        body.putObject("service")
                .put("namespace", answer.service().substring(0, slash))
                .put("name", answer.service().substring(slash + 1));
        body.put("localEndpoints", answer.endpoints());
        body.put("serviceProxyHealthy", true);
        return body.toString();
    }

    @Override
    public void close() {
        servers.values().forEach(served -> served.server.stop(0));
        servers.clear();
    }
}
