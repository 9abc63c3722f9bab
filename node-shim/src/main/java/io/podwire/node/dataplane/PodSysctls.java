package io.podwire.node.dataplane;

import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsThread;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;

/**
 * Kernel settings inside pods. Below /proc/sys/net the kernel shows each thread the settings of the namespace it is
 * in, so they are read and written on a thread inside the pod. They end with the pod's namespace.
 *
 * @param root where settings are files, as in {@link Sysctl}
 */
public record PodSysctls(Path root) {

    /**
     * Makes settings, in order of their paths.
     *
     * @param settings value by path below /proc/sys
     * @throws RefusedException naming the first that cannot be made; those before it are
     * @throws io.podwire.node.netns.NetnsException when the pod cannot be entered
     */
    public void apply(Netns pod, SortedMap<String, String> settings) throws RefusedException {
        if (settings.isEmpty()) {
            return;
        }
        try {
            NetnsThread.call(pod, () -> {
                for (Map.Entry<String, String> setting : settings.entrySet()) {
                    write(setting.getKey(), setting.getValue());
                }
                return true;
            });
        } catch (RefusedException | RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new AssertionError("writing settings throws nothing else", e);
        }
    }

    private void write(String key, String value) throws RefusedException {
        Path file = root.resolve(key);
        if (!Files.exists(file)) {
            throw new RefusedException("this kernel has no " + key + " inside a pod", true, null);
        }
        try {
            Files.writeString(file, value);
        } catch (IOException e) {
            throw new RefusedException(
                    "the kernel does not take \"" + value + "\" for " + key + ": " + e.getMessage(), false, e);
        }
    }

    /** Settings that are not as they were made. */
    public List<Finding> check(Netns pod, SortedMap<String, String> settings) {
        if (settings.isEmpty()) {
            return List.of();
        }
        try {
            return NetnsThread.call(pod, () -> {
                List<Finding> findings = new ArrayList<>();
                for (Map.Entry<String, String> setting : settings.entrySet()) {
                    String now = new Sysctl(root).read(setting.getKey()).orElse("");
                    if (!words(now).equals(words(setting.getValue()))) {
                        findings.add(new Finding(
                                "sysctl",
                                setting.getKey(),
                                "is \"" + now + "\" in the container instead of \"" + setting.getValue() + "\""));
                    }
                }
                return findings;
            });
        } catch (RuntimeException e) {
            throw e;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read settings of the container", e);
        } catch (Exception e) {
            throw new AssertionError("reading settings throws nothing else", e);
        }
    }

    /** The kernel prints tabs between numbers that were written with spaces. */
    private static List<String> words(String value) {
        return List.of(value.strip().split("\\s+"));
    }
}
