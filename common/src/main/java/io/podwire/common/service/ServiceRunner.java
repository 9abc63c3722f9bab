package io.podwire.common.service;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import com.google.common.base.Ascii;
import com.google.common.util.concurrent.MoreExecutors;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallExecutorSupplier;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.netty.channel.EventLoopGroup;
import io.podwire.common.loop.EventLoop;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** Starts a service: options, wiring, gRPC with health and reflection, HTTP, and the stop at SIGTERM. */
public final class ServiceRunner {
    /** Release of every part of Podwire. */
    public static final String RELEASE = "0.1.0";

    private static final Logger log = LoggerFactory.getLogger(ServiceRunner.class);
    private static final int MAX_MESSAGE_BYTES = 4 << 20;
    private static final int MAX_METADATA_BYTES = 8 << 10;

    private ServiceRunner() {}

    /**
     * Runs a service until SIGTERM. Exits with 2 on wrong options, 1 when it cannot start.
     *
     * @param name the service's name, in log lines and usage
     * @param args the command line; an option that is missing there is read from its environment twin:
     *     --etcd-endpoints from PODWIRE_ETCD_ENDPOINTS
     */
    public static <O extends ServiceOptions> void run(String name, String[] args, O options, ServiceWiring<O> wiring) {
        CommandLine command = command(name, options, System.getenv());
        try {
            CommandLine.ParseResult parsed = command.parseArgs(args);
            if (CommandLine.printHelpIfRequested(parsed)) {
                return;
            }
            options.check();
            var _ = options.common().listen();
            var _ = options.common().httpListen();
        } catch (CommandLine.ParameterException | IllegalArgumentException e) {
            exit(2, name + ": " + e.getMessage() + "\nTry '" + name + " --help'.");
        }
        setLogLevel(options.common().logLevel());
        log.info("{} {} starting with {}", name, RELEASE, effective(command.getCommandSpec()));
        try {
            RunningService service = start(name, options, wiring);
            CountDownLatch stopped = new CountDownLatch(1);
            Runtime.getRuntime()
                    .addShutdownHook(Thread.ofPlatform().name("stop").unstarted(() -> {
                        service.close();
                        stopped.countDown();
                    }));
            stopped.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Error e) {
            // A bug, or a broken installation: threads that were started must not keep the process alive.
            log.error("cannot start", e);
            exit(1, name + ": cannot start: " + e);
        } catch (Exception e) {
            log.debug("start failed", e);
            exit(1, name + ": cannot start: " + e.getMessage());
        }
    }

    /**
     * Starts a service with options that are set already; for tests and for one process that runs
     * several services.
     *
     * @throws Exception when it cannot start; nothing is left open
     */
    public static <O extends ServiceOptions> RunningService start(String name, O options, ServiceWiring<O> wiring)
            throws Exception {
        PrometheusMeterRegistry meters = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
        new JvmMemoryMetrics().bindTo(meters);
        new JvmThreadMetrics().bindTo(meters);
        new ProcessorMetrics().bindTo(meters);
        ServiceContext context = new ServiceContext(meters);
        EventLoopGroup unixLoops = null;
        HttpEndpoints http = null;
        EventLoop readiness = null;
        try {
            wiring.wire(options, context);
            HealthStatusManager health = new HealthStatusManager();
            ListenAddress listen = options.common().listen();
            unixLoops = listen instanceof ListenAddress.Unix ? UnixSockets.eventLoops("unix-server") : null;
            http = new HttpEndpoints(options.common().httpListen(), meters, context::unready);
            Server grpc = server(listen, unixLoops, context, health);
            Gauge.builder("podwire.ready", context, c -> c.unready().isEmpty() ? 1 : 0)
                    .description("1 when every readiness condition holds")
                    .register(meters);
            readiness = new EventLoop("readiness");
            publishReadiness(name, context, health, readiness);
            RunningService running = new RunningService(
                    context,
                    listen,
                    grpc,
                    unixLoops,
                    health,
                    http,
                    readiness,
                    options.common().shutdownGrace());
            log.info(
                    "{} serves gRPC on {} and HTTP on port {}, {} ms after the process's start",
                    name,
                    running.grpcTarget(),
                    running.httpPort(),
                    sinceProcessStart().toMillis());
            return running;
        } catch (Exception e) {
            if (readiness != null) {
                readiness.close();
            }
            context.closeOwned();
            if (http != null) {
                http.close();
            }
            if (unixLoops != null) {
                var _ = unixLoops.shutdownGracefully(0, 1, TimeUnit.SECONDS);
            }
            throw e;
        }
    }

    /** The picocli command of a service's options, with their environment twins. */
    public static CommandLine command(String name, ServiceOptions options, Map<String, String> environment) {
        CommandSpec spec = CommandSpec.forAnnotatedObject(options).name(name).mixinStandardHelpOptions(true);
        spec.version(name + " " + RELEASE);
        CommandLine command = new CommandLine(spec);
        command.setCaseInsensitiveEnumValuesAllowed(true);
        command.setDefaultValueProvider(argument -> environment.get(environmentTwin(argument)));
        return command;
    }

    /** The environment variable of an option: --etcd-endpoints is PODWIRE_ETCD_ENDPOINTS. Empty: there is none. */
    public static String environmentTwin(ArgSpec argument) {
        // --help and --version have none: PODWIRE_VERSION may well be set for another purpose.
        return argument instanceof OptionSpec option && !option.usageHelp() && !option.versionHelp()
                ? "PODWIRE_"
                        + Ascii.toUpperCase(option.longestName()
                                .replaceFirst("^-+", "")
                                .replaceFirst("^\\[no-]", "")
                                .replace('-', '_'))
                : "";
    }

    private static Server server(
            ListenAddress listen, EventLoopGroup unixLoops, ServiceContext context, HealthStatusManager health)
            throws IOException {
        NettyServerBuilder builder = switch (listen) {
            case ListenAddress.Tcp(String host, int port) ->
                NettyServerBuilder.forAddress(new InetSocketAddress(host, port))
                        .handshakeTimeout(10, TimeUnit.SECONDS)
                        // A peer that lost power is noticed in 15 s, not when TCP gives up.
                        .keepAliveTime(10, TimeUnit.SECONDS)
                        .keepAliveTimeout(5, TimeUnit.SECONDS);
            // Here the kernel tells when a peer is gone.
            case ListenAddress.Unix(var path) -> UnixSockets.server(path, unixLoops);
        };
        Executor threads = Executors.newVirtualThreadPerTaskExecutor();
        builder.directExecutor()
                .callExecutor(new CallThreads(context, threads))
                .intercept(new ErrorInterceptor())
                // Outside of the one before: it sees the status that the client sees.
                .intercept(new RequestTimes(context.meters()))
                .maxInboundMessageSize(MAX_MESSAGE_BYTES)
                .maxInboundMetadataSize(MAX_METADATA_BYTES)
                .maxConcurrentCallsPerConnection(1024)
                .permitKeepAliveTime(5, TimeUnit.SECONDS)
                .permitKeepAliveWithoutCalls(true)
                .maxRstFramesPerWindow(200, 30)
                .addService(health.getHealthService())
                .addService(ProtoReflectionServiceV1.newInstance());
        context.services().forEach(builder::addService);
        Server server;
        try {
            server = builder.build().start();
        } catch (IOException e) {
            throw new IOException(
                    "cannot serve gRPC on --listen " + listen + ": "
                            + (e.getCause() == null
                                    ? e.getMessage()
                                    : e.getCause().getMessage()),
                    e);
        }
        if (listen instanceof ListenAddress.Unix(var path)) {
            UnixSockets.restrict(path);
        }
        return server;
    }

    /** A virtual thread for each call, or none for methods that want none. */
    private record CallThreads(ServiceContext context, Executor threads) implements ServerCallExecutorSupplier {
        @Override
        public <Q, A> Executor getExecutor(ServerCall<Q, A> call, Metadata metadata) {
            return context.isInline(call.getMethodDescriptor()) ? MoreExecutors.directExecutor() : threads;
        }
    }

    private static void publishReadiness(
            String name, ServiceContext context, HealthStatusManager health, EventLoop loop) {
        Runnable look = new Runnable() {
            private List<String> before = List.of("start");

            @Override
            public void run() {
                List<String> now = context.unready();
                if (!now.equals(before)) {
                    health.setStatus(
                            HealthStatusManager.SERVICE_NAME_ALL_SERVICES,
                            now.isEmpty() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
                    if (now.isEmpty()) {
                        log.info("{} is ready", name);
                    } else {
                        log.warn("{} is not ready: waiting for {}", name, String.join(", ", now));
                    }
                    before = now;
                }
            }
        };
        loop.execute(look);
        loop.every(Duration.ofMillis(500), look);
    }

    private static String effective(CommandSpec spec) {
        return spec.options().stream()
                .filter(option -> !option.usageHelp() && !option.versionHelp())
                .map(option -> option.longestName() + "="
                        + (isSecret(option.longestName()) ? "***" : String.valueOf(option.<Object>getValue())))
                .sorted()
                .collect(Collectors.joining(" "));
    }

    private static boolean isSecret(String option) {
        return option.contains("password") || option.contains("secret") || option.contains("token");
    }

    /**
     * Both times count from the boot, in hundredths of a second (proc_pid_stat(5), field 22). The JDK's own start time of
     * a process is made of /proc/stat's btime, which has whole seconds.
     */
    private static Duration sinceProcessStart() {
        try {
            String stat = Files.readString(Path.of("/proc/self/stat"));
            String started = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1)[19];
            String uptime = Files.readString(Path.of("/proc/uptime")).split(" ", -1)[0];
            return Duration.ofMillis(Math.round(Double.parseDouble(uptime) * 1000) - Long.parseLong(started) * 10);
        } catch (IOException e) {
            log.debug("no /proc to tell the process's start", e);
            return Duration.ZERO;
        }
    }

    private static void setLogLevel(org.slf4j.event.Level level) {
        if (LoggerFactory.getILoggerFactory() instanceof LoggerContext loggers) {
            loggers.getLogger(Logger.ROOT_LOGGER_NAME).setLevel(Level.convertAnSLF4JLevel(level));
        }
    }

    private static void exit(int code, String message) {
        System.err.println(message);
        System.exit(code);
    }
}
