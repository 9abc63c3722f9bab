package io.podwire.node.ffm;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A fresh network namespace with one thread in it. Processes started on that thread are in it too. It
 * is gone when the thread has ended and the last socket opened in it is closed.
 */
@SuppressWarnings("restricted") // as in LibNftables
public final class TestNetns implements AutoCloseable {
    private static final int CLONE_NEWNET = 0x40000000; // linux/sched.h

    private final ExecutorService inside = Executors.newSingleThreadExecutor();

    /** Makes it. */
    public TestNetns() throws Exception {
        Linker linker = Linker.nativeLinker();
        MethodHandle unshare = linker.downcallHandle(
                linker.defaultLookup().findOrThrow("unshare"),
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
        int result = call(() -> {
            try {
                return (int) unshare.invokeExact(CLONE_NEWNET);
            } catch (Throwable e) {
                throw new IllegalStateException(e);
            }
        });
        if (result != 0) {
            throw new IllegalStateException("unshare(CLONE_NEWNET) failed: netns tests need root");
        }
    }

    /** Runs it on the thread inside. */
    public <T> T call(Callable<T> task) throws Exception {
        return inside.submit(task).get();
    }

    /** Starts a process inside. */
    public Process start(ProcessBuilder builder) throws Exception {
        return call(builder::start);
    }

    /** Runs a shell script inside, to its end, and gives back what it printed. */
    public String sh(String script) throws Exception {
        Process process = start(new ProcessBuilder("sh", "-ec", script).redirectErrorStream(true));
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IllegalStateException(script + "\nfailed: " + output);
        }
        return output;
    }

    @Override
    public void close() {
        inside.close();
    }
}
