package io.podwire.common.service;

import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.file.FileSystemOptions;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/** /metrics, /healthz and /readyz over HTTP. */
final class HttpEndpoints implements AutoCloseable {
    private final Vertx vertx;
    private final HttpServer server;
    private final PrometheusMeterRegistry meters;
    private final Supplier<List<String>> unready;

    HttpEndpoints(ListenAddress.Tcp listen, PrometheusMeterRegistry meters, Supplier<List<String>> unready)
            throws Exception {
        this.meters = meters;
        this.unready = unready;
        // No class path resolving and no file cache: nothing is written to the temporary folder.
        this.vertx = Vertx.vertx(new VertxOptions()
                .setEventLoopPoolSize(1)
                .setWorkerPoolSize(1)
                .setInternalBlockingPoolSize(1)
                .setFileSystemOptions(new FileSystemOptions()
                        .setClassPathResolvingEnabled(false)
                        .setFileCachingEnabled(false)));
        try {
            this.server = vertx.createHttpServer(
                            new HttpServerOptions().setHost(listen.host()).setPort(listen.port()))
                    .requestHandler(this::answer)
                    .listen()
                    .toCompletionStage()
                    .toCompletableFuture()
                    .get(10, TimeUnit.SECONDS);
        } catch (Exception e) {
            closeVertx();
            throw new IllegalStateException(
                    "cannot serve HTTP on --http-listen " + listen.host() + ":" + listen.port() + ": "
                            + (e.getCause() == null
                                    ? e.getMessage()
                                    : e.getCause().getMessage()),
                    e);
        }
    }

    int port() {
        return server.actualPort();
    }

    private void answer(HttpServerRequest request) {
        if (!request.method().equals(HttpMethod.GET)) {
            var _ = request.response().setStatusCode(405).end();
            return;
        }
        var _ = switch (request.path()) {
            case "/healthz" -> request.response().end("ok\n");
            case "/readyz" -> ready(request);
            case "/metrics" ->
                request.response()
                        .putHeader("content-type", "text/plain; version=0.0.4; charset=utf-8")
                        .end(meters.scrape());
            default -> request.response().setStatusCode(404).end("there are /metrics, /healthz and /readyz\n");
        };
    }

    private io.vertx.core.Future<Void> ready(HttpServerRequest request) {
        List<String> missing = unready.get();
        return missing.isEmpty()
                ? request.response().end("ok\n")
                : request.response().setStatusCode(503).end("waiting for " + String.join(", ", missing) + "\n");
    }

    @Override
    public void close() {
        closeVertx();
    }

    private void closeVertx() {
        try {
            vertx.close().toCompletionStage().toCompletableFuture().get(5, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (java.util.concurrent.ExecutionException | TimeoutException e) {
            throw new IllegalStateException("closing the HTTP server failed", e);
        }
    }
}
