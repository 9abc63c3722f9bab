package io.podwire.cli.conformance;

import io.podwire.cli.CommandFailure;
import io.podwire.cli.lab.CniNetwork;
import io.podwire.cli.lab.CniVersion;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code podwire cni-conformance}. */
@Command(
        name = "cni-conformance",
        description = {
            "Puts any chain of CNI plugins to the test: calls them as container runtimes do, and compares what they"
                    + " answer with the CNI specification and with the kernel.",
            "It runs in a sandbox of namespaces that vanishes with it; plugins find an eth0 with a default route"
                    + " there, and their files below /run and /var/lib are private to it."
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  podwire cni-conformance --plugin-dir /usr/lib/cni --conf bridge.conflist",
            "  podwire cni-conformance --plugin-dir /opt/cni/bin --conf x.conflist --conf-version 1.0.0 --only A1,C2,C3",
            "",
            "Plugins with a daemon: the daemon must be in the same namespaces. Either start both in the sandbox"
                    + " (libexec/sandbox COMMAND), or give --no-sandbox on a machine that may be disturbed.",
            "",
            "Ends with 0 when nothing failed, with 1 when a tick failed, with 2 on wrong usage. docs/conformance.md"
                    + " has the list of ticks."
        })
public final class CniConformanceCommand implements Callable<Integer> {
    private static final int MOST_ADDRESSES = 1024;

    @Option(
            names = "--plugin-dir",
            paramLabel = "DIR",
            required = true,
            description = "Where the plugins are, as in CNI_PATH; can be given several times.")
    private List<Path> pluginDirs = new ArrayList<>();

    @Option(
            names = "--conf",
            paramLabel = "FILE",
            required = true,
            description = "The network: a .conflist, or the .conf of one plugin.")
    private Path conf;

    @Option(
            names = "--conf-version",
            paramLabel = "VERSION",
            description =
                    "Test this cniVersion only; can be given several times. Default: 0.3.1, 0.4.0, 1.0.0 and 1.1.0,"
                            + " and the result's shape in 0.1.0 and 0.2.0")
    private List<String> versions = new ArrayList<>();

    @Option(names = "--only", paramLabel = "TICK", split = ",", description = "Test these ticks only. Example: A1,C2")
    private List<String> only = new ArrayList<>();

    @Option(
            names = "--ifname",
            paramLabel = "NAME",
            defaultValue = "eth0",
            description = "CNI_IFNAME; lo for the loopback plugin, which adjusts that. Default: ${DEFAULT-VALUE}")
    private String ifname;

    @Option(
            names = "--daemon-key",
            paramLabel = "KEY",
            description = "Key of a plugin's configuration that holds its daemon's socket. The tester sets it to a path"
                    + " where nobody listens, to see what the plugin says then (C7, S3, S5).")
    private String daemonKey;

    @Option(
            names = "--addresses",
            paramLabel = "COUNT",
            description = "The network has so few addresses that all can be used up (S2): 1 to " + MOST_ADDRESSES
                    + " ADDs must be enough.")
    private Integer addresses;

    @Option(
            names = "--no-sandbox",
            description = "Run in the namespaces of this machine, for plugins whose daemon is there. What could disturb"
                    + " it is not tried then (I7, part of C3), and what is left behind stays.")
    private boolean noSandbox;

    @Option(names = "--json", description = "Print JSON, with the evidence of every tick.")
    private boolean json;

    @Spec
    private CommandSpec command;

    @Override
    public Integer call() throws IOException {
        Setup setup = setup();
        if (System.getenv("PODWIRE_SANDBOX") == null && !noSandbox) {
            throw new CommandFailure(
                    "it runs in a sandbox: start it by bin/podwire, or below libexec/sandbox; or give --no-sandbox");
        }
        if (!noSandbox) {
            Surroundings.make();
        }
        PrintWriter err = command.commandLine().getErr();
        Report report = Conformance.run(setup, version -> err.println("testing " + version + " ..."));
        PrintWriter out = command.commandLine().getOut();
        out.print(json ? report.json() : report.text());
        out.flush();
        if (report.failed()) {
            throw new CommandFailure(report.summary());
        }
        return 0;
    }

    private Setup setup() {
        for (Path dir : pluginDirs) {
            if (!Files.isDirectory(dir)) {
                throw wrong("--plugin-dir " + dir + " is no directory");
            }
        }
        if (!ifname.matches("[^/:\\s%]{1,15}")) {
            throw wrong("--ifname must be an interface name of 1 to 15 bytes, got \"" + ifname + "\"");
        }
        if (addresses != null && (addresses < 1 || addresses > MOST_ADDRESSES)) {
            throw wrong("--addresses must be 1 to " + MOST_ADDRESSES + ", got " + addresses);
        }
        return new Setup(
                network(),
                pluginDirs.stream().map(Path::toAbsolutePath).toList(),
                Optional.empty(),
                ifname,
                versions(),
                Set.copyOf(new LinkedHashSet<>(only)),
                Optional.ofNullable(daemonKey),
                addresses == null ? OptionalInt.empty() : OptionalInt.of(addresses),
                !noSandbox);
    }

    private CniNetwork network() {
        String text;
        try {
            text = Files.readString(conf);
        } catch (IOException e) {
            throw new CommandFailure("cannot read --conf " + conf + ": " + e, e);
        }
        try {
            return CniNetwork.parseAny(text);
        } catch (IllegalArgumentException e) {
            throw new CommandFailure("--conf " + conf + ": " + e.getMessage(), e);
        }
    }

    private List<CniVersion> versions() {
        return versions.isEmpty()
                ? Setup.VERSIONS
                : versions.stream()
                        .map(text -> CniVersion.of(text)
                                .orElseThrow(() -> wrong("--conf-version must be one of "
                                        + String.join(", ", CniVersion.texts()) + ", got " + text)))
                        .toList();
    }

    private ParameterException wrong(String message) {
        return new ParameterException(command.commandLine(), message);
    }
}
