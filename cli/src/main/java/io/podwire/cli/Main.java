package io.podwire.cli;

import picocli.CommandLine;

/** The operator's command. Exits with 0, with 1 when a call failed, with 2 on wrong usage. */
public final class Main {
    private Main() {}

    /** Runs one command. */
    public static void main(String[] args) {
        System.exit(commandLine().execute(args));
    }

    /** All commands. A {@link CommandFailure} ends as its message on stderr and exit code 1. */
    static CommandLine commandLine() {
        CommandLine commandLine = new CommandLine(new PodwireCommand());
        commandLine.setCaseInsensitiveEnumValuesAllowed(true);
        commandLine.setExecutionExceptionHandler((failure, command, _) -> {
            if (!(failure instanceof CommandFailure)) {
                throw failure;
            }
            command.getErr().println(command.getCommandSpec().qualifiedName() + ": " + failure.getMessage());
            return CommandLine.ExitCode.SOFTWARE;
        });
        return commandLine;
    }
}
