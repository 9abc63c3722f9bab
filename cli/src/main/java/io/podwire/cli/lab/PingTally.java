package io.podwire.cli.lab;

import java.util.BitSet;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * What the output of ping(8) of iputils says.
 *
 * @param received replies, each sequence number once
 * @param lost sequence numbers without a reply below the last one with a reply, in order: what was on its way when
 *     ping was stopped is not lost
 */
public record PingTally(int received, List<Integer> lost) {
    private static final Pattern REPLY = Pattern.compile("bytes from .*icmp_seq=(\\d+) ");

    /** Copies. */
    public PingTally {
        lost = List.copyOf(lost);
    }

    /** Reads all output, of one run. */
    public static PingTally of(String output) {
        BitSet replies = new BitSet();
        Matcher reply = REPLY.matcher(output);
        while (reply.find()) {
            // The sequence number starts at 1 and has 16 bits: no run here is as long.
            replies.set(Integer.parseInt(reply.group(1)));
        }
        List<Integer> lost = IntStream.range(1, replies.length())
                .filter(sequence -> !replies.get(sequence))
                .boxed()
                .toList();
        return new PingTally(replies.cardinality(), lost);
    }
}
