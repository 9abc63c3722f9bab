package io.podwire.cli;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import java.io.PrintWriter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The option {@code --output}, and printing an answer as it says. */
final class Output {
    /** For people, or for programs. */
    enum Form {
        TABLE,
        JSON
    }

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FORM",
            defaultValue = "table",
            description = "table, or json: the answer as in its protobuf definition. Default: ${DEFAULT-VALUE}")
    private Form form;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    /** Prints an answer on standard output. */
    void print(Message answer, Table table) {
        print(answer, table.text());
    }

    /** The same with whole lines of text in the table's place. */
    void print(Message answer, String text) {
        PrintWriter out = command.commandLine().getOut();
        switch (form) {
            case TABLE -> out.print(text);
            case JSON -> out.println(json(answer));
        }
        out.flush();
    }

    /** Prints a line beside the answer, on standard error. */
    void note(String line) {
        PrintWriter err = command.commandLine().getErr();
        err.println(line);
        err.flush();
    }

    private static String json(Message answer) {
        try {
            return JsonFormat.printer().alwaysPrintFieldsWithNoPresence().print(answer);
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalStateException("an answer without Any fields always prints", e);
        }
    }
}
