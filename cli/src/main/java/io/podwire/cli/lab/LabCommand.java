package io.podwire.cli.lab;

import picocli.CommandLine.Command;

/** {@code podwire lab}: a whole cluster on this machine, in namespaces that vanish with it. */
@Command(
        name = "lab",
        description = "A whole cluster on this machine, in namespaces that vanish with it.",
        subcommands = {DemoCommand.class, ShellCommand.class, RunCommand.class})
public final class LabCommand {}
