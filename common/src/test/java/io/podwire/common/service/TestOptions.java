package io.podwire.common.service;

import java.nio.file.Path;
import java.time.Duration;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Options of a service for tests. */
final class TestOptions implements ServiceOptions {
    @Mixin
    private CommonOptions common = new CommonOptions("127.0.0.1:0", "127.0.0.1:0");

    @Option(names = "--must", required = true, description = "Must be there")
    String must;

    @Option(names = "--count", description = "A number, 1 to 9")
    int count = 3;

    @Option(names = "--api-token", description = "A secret")
    String token = "none";

    static TestOptions listening(String listen) {
        TestOptions options = new TestOptions();
        options.common = new CommonOptions(listen, "127.0.0.1:0");
        return options;
    }

    static TestOptions unix(Path socket) {
        return listening("unix:" + socket);
    }

    @Override
    public CommonOptions common() {
        return common;
    }

    @Override
    public void check() {
        if (count < 1 || count > 9) {
            throw new IllegalArgumentException("--count must be 1 to 9, got " + count);
        }
    }

    Duration grace() {
        return common.shutdownGrace();
    }
}
