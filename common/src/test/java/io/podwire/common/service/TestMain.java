package io.podwire.common.service;

/** A service as a process, for tests of {@link ServiceRunner#run}. */
final class TestMain {
    private TestMain() {}

    public static void main(String[] args) {
        ServiceRunner.run("test-service", args, new TestOptions(), (options, context) -> {
            context.own(() -> System.out.println("closed"));
            if (options.must.equals("fail")) {
                throw new IllegalStateException("the store is away");
            }
            System.out.println("wired " + options.must + " " + options.count);
        });
    }
}
