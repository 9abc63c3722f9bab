package io.podwire.common.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ListBlocksRequest;
import io.podwire.proto.ipam.v1.ListBlocksResponse;
import io.podwire.proto.route.v1.Announcement;
import io.podwire.proto.route.v1.RouteUpdate;
import io.podwire.proto.route.v1.RoutesGrpc;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

final class ServiceRunnerTest {
    private static final Duration SOON = Duration.ofSeconds(8);

    private final List<String> events = new CopyOnWriteArrayList<>();
    private final CountDownLatch goOn = new CountDownLatch(1);
    private final CountDownLatch entered = new CountDownLatch(1);

    /** A method that answers, fails or waits, as its page token says. */
    private final class Blocks extends BlocksGrpc.BlocksImplBase {
        @Override
        public void listBlocks(ListBlocksRequest request, StreamObserver<ListBlocksResponse> reply) {
            switch (request.getPageToken()) {
                case "full" -> throw new ServiceException(ErrorReason.EXHAUSTED, "pool p is full", Map.of("pool", "p"));
                case "bug" -> throw new IllegalStateException("a secret of the implementation");
                case "wait" -> {
                    entered.countDown();
                    try {
                        assertThat(goOn.await(10, TimeUnit.SECONDS)).isTrue();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                    events.add("call ended");
                }
                default -> {}
            }
            reply.onNext(ListBlocksResponse.getDefaultInstance());
            reply.onCompleted();
        }
    }

    /** A stream that fails when it is opened, or at its first message. */
    private static final class Routes extends RoutesGrpc.RoutesImplBase {
        private final boolean atOnce;

        Routes(boolean atOnce) {
            this.atOnce = atOnce;
        }

        @Override
        public StreamObserver<Announcement> exchange(StreamObserver<RouteUpdate> reply) {
            if (atOnce) {
                throw refused();
            }
            return new StreamObserver<>() {
                @Override
                public void onNext(Announcement message) {
                    throw refused();
                }

                @Override
                public void onError(Throwable failure) {}

                @Override
                public void onCompleted() {}
            };
        }

        private static ServiceException refused() {
            return new ServiceException(ErrorReason.STALE_EPOCH, "a newer life is known");
        }
    }

    private static RunningService start(ServiceWiring<TestOptions> wiring) throws Exception {
        return ServiceRunner.start("test", TestOptions.listening("127.0.0.1:0"), wiring);
    }

    // Options

    @Test
    void theCommandLineWinsOverTheEnvironmentAndThatOverTheDefault() {
        assertThat(parse(Map.of(), "--must=a").count).isEqualTo(3);
        assertThat(parse(Map.of("PODWIRE_COUNT", "5"), "--must=a").count).isEqualTo(5);
        assertThat(parse(Map.of("PODWIRE_COUNT", "5"), "--must=a", "--count=7").count)
                .isEqualTo(7);
        assertThat(parse(Map.of("PODWIRE_MUST", "twin")).must)
                .as("a required option")
                .isEqualTo("twin");
        assertThat(parse(Map.of("PODWIRE_SHUTDOWN_GRACE", "PT7S", "PODWIRE_LOG_LEVEL", "debug"), "--must=a")
                        .grace())
                .isEqualTo(Duration.ofSeconds(7));
    }

    @Test
    void everyOptionHasAnEnvironmentTwinButHelpAndVersion() {
        CommandLine command = ServiceRunner.command("test", new TestOptions(), Map.of());
        assertThat(command.getCommandSpec().options().stream().map(ServiceRunner::environmentTwin))
                .contains("PODWIRE_LISTEN", "PODWIRE_HTTP_LISTEN", "PODWIRE_SHUTDOWN_GRACE", "PODWIRE_MUST")
                .filteredOn(String::isEmpty)
                .hasSize(2);
        assertThat(parse(Map.of("PODWIRE_VERSION", "0.1.0", "PODWIRE_HELP", "please"), "--must=a").must)
                .isEqualTo("a");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"--nonsense", "--count=many", "--count=", "--shutdown-grace=2s", "--log-level=LOUD", "extra"})
    void whatIsWrongIsRefused(String wrong) {
        assertThatExceptionOfType(CommandLine.ParameterException.class)
                .isThrownBy(() -> parse(Map.of(), "--must=a", wrong))
                .withMessageContaining(wrong.replaceFirst("=.*", ""));
    }

    @Test
    void wrongEnvironmentIsRefusedToo() {
        assertThatExceptionOfType(CommandLine.ParameterException.class)
                .isThrownBy(() -> parse(Map.of("PODWIRE_COUNT", "many"), "--must=a"))
                .withMessageContaining("--count");
        assertThatExceptionOfType(CommandLine.MissingParameterException.class).isThrownBy(() -> parse(Map.of()));
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () -> parse(Map.of("PODWIRE_COUNT", "10"), "--must=a").check());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parse(Map.of(), "--must=a", "--http-listen=unix:/x")
                        .common()
                        .httpListen());
    }

    private static TestOptions parse(Map<String, String> environment, String... args) {
        TestOptions options = new TestOptions();
        ServiceRunner.command("test", options, environment).parseArgs(args);
        return options;
    }

    // A running service

    @Test
    void readinessIsToldOverHttpGrpcAndMetrics() throws Exception {
        AtomicBoolean store = new AtomicBoolean();
        try (RunningService service = start((_, context) -> {
            context.readyWhen("store", store::get);
            context.readyWhen("always", () -> true);
        })) {
            ManagedChannel channel = service.channel();
            try {
                assertThat(service.unready()).containsExactly("store");
                assertThat(http(service, "/readyz").statusCode()).isEqualTo(503);
                assertThat(http(service, "/readyz").body()).isEqualTo("waiting for store\n");
                assertThat(http(service, "/healthz").statusCode())
                        .as("alive, if not ready")
                        .isEqualTo(200);
                assertThat(http(service, "/metrics").body()).contains("podwire_ready 0.0", "jvm_memory_used_bytes");
                await().atMost(SOON).until(() -> health(channel) == ServingStatus.NOT_SERVING);
                store.set(true);
                assertThat(http(service, "/readyz").statusCode()).isEqualTo(200);
                assertThat(http(service, "/metrics").body()).contains("podwire_ready 1.0");
                await().atMost(SOON).until(() -> health(channel) == ServingStatus.SERVING);
                store.set(false);
                await().atMost(SOON).until(() -> health(channel) == ServingStatus.NOT_SERVING);
            } finally {
                channel.shutdownNow();
            }
        }
    }

    @Test
    void otherHttpIsRefused() throws Exception {
        try (RunningService service = start((_, _) -> {})) {
            assertThat(http(service, "/").statusCode()).isEqualTo(404);
            assertThat(http(service, "/metrics/../etc/passwd").statusCode()).isEqualTo(404);
            HttpRequest post = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + service.httpPort() + "/metrics"))
                    .POST(HttpRequest.BodyPublishers.ofString("x"))
                    .build();
            try (HttpClient client = HttpClient.newHttpClient()) {
                assertThat(client.send(post, HttpResponse.BodyHandlers.ofString())
                                .statusCode())
                        .isEqualTo(405);
            }
        }
    }

    @Test
    void aServiceExceptionArrivesWithItsReasonAndFacts() throws Exception {
        try (RunningService service = start((_, context) -> context.serve(new Blocks()))) {
            StatusRuntimeException failure = failure(service, "full");
            assertThat(failure.getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
            assertThat(failure.getTrailers().get(GrpcErrors.DETAIL_KEY).getFactsMap())
                    .containsOnly(Map.entry("pool", "p"));
            assertThat(GrpcErrors.fromGrpc("x", failure).reason()).isEqualTo(ErrorReason.EXHAUSTED);
        }
    }

    @Test
    void aBugIsInternalAndTellsNothing() throws Exception {
        try (RunningService service = start((_, context) -> context.serve(new Blocks()))) {
            StatusRuntimeException failure = failure(service, "bug");
            assertThat(failure.getStatus().getCode()).isEqualTo(Status.Code.INTERNAL);
            assertThat(failure.getStatus().getDescription()).doesNotContain("secret");
            assertThat(list(service, "")).as("the service goes on").isNotNull();
        }
    }

    @Test
    void unaryCallsAreTimedByMethodAndResultAndStreamsAreNot() throws Exception {
        try (RunningService service = start((_, context) -> {
            context.serve(new Blocks());
            context.serve(new Routes(true));
        })) {
            assertThat(list(service, "")).isNotNull();
            assertThat(list(service, "")).isNotNull();
            assertThat(failure(service, "full").getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
            assertThat(failure(service, "bug").getStatus().getCode()).isEqualTo(Status.Code.INTERNAL);
            ManagedChannel channel = service.channel();
            try {
                CompletableFuture<Throwable> ended = new CompletableFuture<>();
                StreamObserver<Announcement> requests = RoutesGrpc.newStub(channel)
                        .exchange(new StreamObserver<>() {
                            @Override
                            public void onNext(RouteUpdate update) {}

                            @Override
                            public void onError(Throwable failure) {
                                ended.complete(failure);
                            }

                            @Override
                            public void onCompleted() {}
                        });
                requests.onNext(Announcement.getDefaultInstance());
                assertThat(ended).succeedsWithin(SOON);
            } finally {
                channel.shutdownNow();
            }
            String of = "method=\"ListBlocks\",service=\"podwire.ipam.v1.Blocks\"";
            assertThat(http(service, "/metrics").body())
                    .contains("podwire_grpc_requests_seconds_count{code=\"OK\"," + of + "} 2")
                    .contains("podwire_grpc_requests_seconds_count{code=\"RESOURCE_EXHAUSTED\"," + of + "} 1")
                    .contains("podwire_grpc_requests_seconds_count{code=\"INTERNAL\"," + of + "} 1")
                    .contains("podwire_grpc_requests_seconds_bucket{code=\"OK\"," + of + ",le=\"+Inf\"} 2")
                    .contains("podwire_grpc_requests_seconds_bucket{code=\"OK\"," + of + ",le=\"0.005\"}")
                    .doesNotContain("method=\"Exchange\"");
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aStreamThatIsRefusedArrivesWithItsReason(boolean atOnce) throws Exception {
        try (RunningService service = start((_, context) -> context.serve(new Routes(atOnce)))) {
            ManagedChannel channel = service.channel();
            try {
                CompletableFuture<Throwable> ended = new CompletableFuture<>();
                StreamObserver<Announcement> requests = RoutesGrpc.newStub(channel)
                        .exchange(new StreamObserver<>() {
                            @Override
                            public void onNext(RouteUpdate update) {}

                            @Override
                            public void onError(Throwable failure) {
                                ended.complete(failure);
                            }

                            @Override
                            public void onCompleted() {
                                ended.complete(new AssertionError("completed"));
                            }
                        });
                requests.onNext(Announcement.getDefaultInstance());
                requests.onCompleted();
                StatusRuntimeException failure = (StatusRuntimeException) ended.get(8, TimeUnit.SECONDS);
                assertThat(GrpcErrors.fromGrpc("x", failure).reason()).isEqualTo(ErrorReason.STALE_EPOCH);
                assertThat(failure.getStatus().getDescription()).isEqualTo("a newer life is known");
            } finally {
                channel.shutdownNow();
            }
        }
    }

    @Test
    void closeLetsCallsEndThenClosesInReverseOrderOnce() throws Exception {
        RunningService service = start((_, context) -> {
            context.own(() -> events.add("first closed"));
            context.own(() -> {
                events.add("second closed");
                throw new IllegalStateException("spares not the rest");
            });
            context.serve(new Blocks());
        });
        // Not the common pool, which has one thread on a small machine.
        Executor threads = task -> Thread.ofVirtual().start(task);
        CompletableFuture<ListBlocksResponse> call =
                CompletableFuture.supplyAsync(() -> list(service, "wait"), threads);
        assertThat(entered.await(8, TimeUnit.SECONDS)).isTrue();
        CompletableFuture<Void> closing = CompletableFuture.runAsync(service::close, threads);
        await().atMost(SOON).until(() -> refusesNewCalls(service));
        assertThat(events).as("while the call is under way").isEmpty();
        goOn.countDown();
        assertThat(call).as("the call that was under way").succeedsWithin(SOON);
        assertThat(closing).succeedsWithin(SOON);
        service.close();
        assertThat(events).containsExactly("call ended", "second closed", "first closed");
    }

    private static boolean refusesNewCalls(RunningService service) {
        try {
            list(service, "");
            return false;
        } catch (StatusRuntimeException e) {
            return true;
        }
    }

    @Test
    void aStartThatFailsClosesWhatWasOwned() {
        assertThatIllegalStateException()
                .isThrownBy(() -> start((_, context) -> {
                    context.own(() -> events.add("first closed"));
                    context.own(() -> events.add("second closed"));
                    throw new IllegalStateException("on purpose");
                }))
                .withMessage("on purpose");
        assertThat(events).containsExactly("second closed", "first closed");
    }

    @Test
    void aPortInUseIsNamedAndNothingIsLeft() throws Exception {
        try (RunningService first = start((_, _) -> {})) {
            assertThatExceptionOfType(java.io.IOException.class)
                    .isThrownBy(() -> ServiceRunner.start(
                            "test",
                            TestOptions.listening(first.grpcTarget()),
                            (_, context) -> context.own(() -> events.add("closed"))))
                    .withMessageContaining("--listen");
            assertThat(events).containsExactly("closed");
        }
    }

    @Test
    void theTargetOfAnIpv6HostHasBrackets() throws Exception {
        try (RunningService service = ServiceRunner.start(
                "test", TestOptions.listening("[::1]:0"), (_, context) -> context.serve(new Blocks()))) {
            assertThat(service.grpcTarget()).matches("\\[::1]:[0-9]+");
            assertThat(list(service, "")).isNotNull();
        } catch (java.io.IOException e) {
            org.junit.jupiter.api.Assumptions.abort("no IPv6 here: " + e.getMessage());
        }
    }

    private static ListBlocksResponse list(RunningService service, String token) {
        ManagedChannel channel = service.channel();
        try {
            return BlocksGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(10, TimeUnit.SECONDS)
                    .listBlocks(
                            ListBlocksRequest.newBuilder().setPageToken(token).build());
        } finally {
            channel.shutdownNow();
        }
    }

    private static StatusRuntimeException failure(RunningService service, String token) {
        return org.assertj.core.api.Assertions.catchThrowableOfType(
                StatusRuntimeException.class, () -> list(service, token));
    }

    private static ServingStatus health(ManagedChannel channel) {
        return HealthGrpc.newBlockingStub(channel)
                .check(HealthCheckRequest.getDefaultInstance())
                .getStatus();
    }

    private static HttpResponse<String> http(RunningService service, String path) throws Exception {
        try (HttpClient client = HttpClient.newHttpClient()) {
            return client.send(
                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + service.httpPort() + path))
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
        }
    }
}
