package io.podwire.cli.lab;

import io.podwire.cli.CommandFailure;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/** Finds and executes CNI plugins as a runtime does, each in a process of its own. For any thread. */
public final class CniPlugins {
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private final List<Path> folders;
    private final List<String> prefix;
    private final Consumer<CniExecution> witness;

    /**
     * The plugins of some folders.
     *
     * @param folders where they are looked for, in this order
     * @param prefix words before a plugin's path: how the runtime's own namespace is entered
     */
    public CniPlugins(List<Path> folders, List<String> prefix) {
        this(folders, prefix, _ -> {});
    }

    private CniPlugins(List<Path> folders, List<String> prefix, Consumer<CniExecution> witness) {
        this.folders = List.copyOf(folders);
        this.prefix = List.copyOf(prefix);
        this.witness = witness;
    }

    /** These plugins, with a further folder before the others. */
    public CniPlugins before(Path folder) {
        List<Path> all = new ArrayList<>(List.of(folder));
        all.addAll(folders);
        return new CniPlugins(all, prefix, witness);
    }

    /** These plugins, with somebody who is told of each execution, on the thread that asked for it. */
    public CniPlugins witnessed(Consumer<CniExecution> other) {
        return new CniPlugins(folders, prefix, other);
    }

    /** CNI_PATH. */
    public String path() {
        return folders.stream().map(Path::toString).collect(Collectors.joining(":"));
    }

    /** The executable of a plugin; empty when no folder has one. */
    public Optional<Path> find(String type) {
        return folders.stream()
                .map(folder -> folder.resolve(type))
                .filter(file -> Files.isRegularFile(file) && Files.isExecutable(file))
                .findFirst();
    }

    /** Executes a plugin with UTF-8 on its standard input. */
    public CniExecution execute(String type, Map<String, String> env, String stdin) {
        return execute(type, env, stdin.getBytes(StandardCharsets.UTF_8));
    }

    /**
     * Executes a plugin.
     *
     * @param env its whole environment but for PATH
     * @throws CommandFailure when no folder has it
     */
    public CniExecution execute(String type, Map<String, String> env, byte[] stdin) {
        return run(type, List.of(), env, stdin);
    }

    /** Executes a plugin whose standard input is a directory, which can be opened and not read. */
    public CniExecution executeWithUnreadableStdin(String type, Map<String, String> env) {
        return run(type, List.of("sh", "-c", "exec \"$@\" </", "sh"), env, new byte[0]);
    }

    private CniExecution run(String type, List<String> around, Map<String, String> env, byte[] stdin) {
        List<String> command = new ArrayList<>(prefix);
        command.addAll(around);
        command.add(find(type)
                .orElseThrow(() -> new CommandFailure("no executable \"" + type + "\" in "
                        + folders.stream().map(Path::toString).collect(Collectors.joining(" or "))
                        + "; the configuration names it as a plugin's type"))
                .toString());
        Map<String, String> whole = new HashMap<>(env);
        whole.put("PATH", System.getenv().getOrDefault("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"));
        Tool.Finished end = Tool.run(command, whole, stdin, TIMEOUT);
        CniExecution execution = new CniExecution(
                type,
                env,
                new String(stdin, StandardCharsets.UTF_8),
                end.exitCode(),
                end.stdout(),
                end.stderr(),
                end.took());
        witness.accept(execution);
        return execution;
    }
}
