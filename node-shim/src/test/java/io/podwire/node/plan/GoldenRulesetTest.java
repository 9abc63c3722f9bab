package io.podwire.node.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.Ruleset;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Text as reviewed (want.nft; -Dgolden.update=true writes it), meaning as said (packets.txt). */
class GoldenRulesetTest {
    private static final Path FOLDER = Path.of("src/test/resources/golden/nft");
    private static final Pattern PACKET =
            Pattern.compile("(\\w+) (\\S+) -> (\\w+) (\\S+) (\\w+) (\\d+) +(pass|drop (\\S+))");

    static Stream<String> cases() {
        return GoldenCases.all().keySet().stream();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void textIsAsReviewed(String name) throws IOException {
        String text = Transaction.replaceAll(ruleset(name)).text();
        Path want = FOLDER.resolve(name).resolve("want.nft");
        if (Boolean.getBoolean("golden.update")) {
            Files.writeString(want, text);
        }
        assertThat(text).as(name).isEqualTo(Files.readString(want));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void packetsMeetTheVerdictSaid(String name) throws IOException {
        PacketTracer tracer = new PacketTracer(ruleset(name));
        for (String line : Files.readAllLines(FOLDER.resolve(name).resolve("packets.txt"))) {
            if (line.startsWith("#")) {
                continue;
            }
            Matcher packet = PACKET.matcher(line);
            assertThat(packet.matches()).as("'%s' reads", line).isTrue();
            PacketTracer.Flow flow = new PacketTracer.Flow(
                    side(packet.group(1)),
                    IpAddress.parse(packet.group(2)),
                    side(packet.group(3)),
                    IpAddress.parse(packet.group(4)),
                    packet.group(5),
                    Integer.parseInt(packet.group(6)));
            String by = packet.group(8);
            assertThat(tracer.trace(flow, false))
                    .as("%s: %s", name, line)
                    .isEqualTo(new PacketTracer.Outcome(by == null, by == null ? "" : by));
            assertThat(tracer.trace(flow, true).accepted())
                    .as("%s, its reply: %s", name, line)
                    .isEqualTo(by == null);
        }
    }

    private static PacketTracer.Side side(String text) {
        return PacketTracer.Side.valueOf(text.toUpperCase(Locale.ROOT));
    }

    private static Ruleset ruleset(String name) {
        return RulesetPlan.plan(GoldenCases.all().get(name));
    }
}
