package io.podwire.route.bgp.codec;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.testing.Seeds;
import io.podwire.route.bgp.Messages;
import io.podwire.route.bgp.message.BgpMessage;
import io.podwire.route.bgp.message.BgpMessage.Reach;
import io.podwire.route.bgp.message.BgpMessage.Update;
import io.podwire.route.bgp.message.PathAttributes;
import io.podwire.route.bgp.message.SessionFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class BgpCodecPropertyTest {
    @Test
    void messagesComeBackEqual() {
        Seeds.forEach(BgpCodecPropertyTest.class, 3_000, random -> {
            // Between two speakers of two-octet numbers a path of more than AS4_PATH tells comes back otherwise.
            SessionFormat format = new SessionFormat(true, random.nextBoolean());
            BgpMessage message = Messages.any(random, format);
            byte[] wire = BgpEncoder.encode(message, format);

            Decoded decoded = BgpDecoder.decode(wire, format);

            assertThat(decoded.errors()).isEmpty();
            assertThat(decoded.message()).isEqualTo(message);
        });
    }

    @Test
    void fourOctetNumbersSurviveAnOldSpeaker() {
        SessionFormat old = new SessionFormat(false, true);
        Seeds.forEach(BgpCodecPropertyTest.class, 1_000, random -> {
            Update update = Messages.update(random, old);
            assertThat(BgpDecoder.decode(BgpEncoder.encode(update, old), old).message())
                    .isEqualTo(update);
        });
    }

    @Test
    void whatIsSplitAddsUpToTheWhole() {
        Seeds.forEach(BgpCodecPropertyTest.class, 100, random -> {
            SessionFormat format = new SessionFormat(random.nextBoolean(), true);
            PathAttributes attributes = Messages.attributes(random, format);
            Update one = Messages.update(random, format);
            for (Reach part : one.reach()) {
                IpFamily family = part.nextHop().family();
                List<IpPrefix> many = Messages.prefixes(random, family, 3_000);
                List<IpPrefix> back = new ArrayList<>();
                for (byte[] wire :
                        BgpEncoder.reach(attributes, new Reach(part.nextHop(), many), format, BgpEncoder.NO_PATH)) {
                    assertThat(wire.length).isLessThanOrEqualTo(BgpMessage.LONGEST);
                    Update update = (Update) BgpDecoder.decode(wire, format).message();
                    assertThat(update.attributes()).isEqualTo(attributes);
                    assertThat(update.reach().getFirst().nextHop()).isEqualTo(part.nextHop());
                    back.addAll(update.reach().getFirst().prefixes());
                }
                assertThat(back).isEqualTo(many);
                back.clear();
                for (byte[] wire : BgpEncoder.withdraw(family, many, BgpEncoder.NO_PATH)) {
                    assertThat(wire.length).isLessThanOrEqualTo(BgpMessage.LONGEST);
                    back.addAll(((Update) BgpDecoder.decode(wire, format).message()).withdrawn());
                }
                assertThat(back).isEqualTo(many);
            }
        });
    }

    /** Random octets, and messages with some octets changed, cut off, or repeated. */
    @Test
    void onlyProtocolErrorsLeaveTheDecoder() {
        Seeds.forEach(BgpCodecPropertyTest.class, 30_000, random -> {
            SessionFormat format = new SessionFormat(random.nextBoolean(), random.nextBoolean());
            byte[] wire = random.nextInt(4) == 0 ? noise(random) : mutated(random, format);
            try {
                Decoded decoded = BgpDecoder.decode(wire, format);
                // What was understood can be sent on.
                if (decoded.message() instanceof Update update) {
                    for (Reach reach : update.reach()) {
                        var _ = BgpEncoder.reach(update.attributes(), reach, format, BgpEncoder.NO_PATH);
                    }
                }
            } catch (BgpProtocolException e) {
                assertThat(e.answer().code()).isBetween(1, 3);
                assertThat(BgpEncoder.encode(e.answer(), format)).hasSizeLessThan(100);
            }
        });
    }

    private static byte[] noise(RandomGenerator random) {
        byte[] wire = new byte[random.nextInt(BgpMessage.LONGEST + 100)];
        random.nextBytes(wire);
        return wire.length > 19 ? framed(wire, 1 + random.nextInt(5)) : wire;
    }

    private static byte[] mutated(RandomGenerator random, SessionFormat format) {
        byte[] wire = BgpEncoder.encode(Messages.any(random, format), format);
        int type = wire[18];
        for (int i = random.nextInt(4); i >= 0 && wire.length > 19; i--) {
            int at = 19 + random.nextInt(wire.length - 19);
            switch (random.nextInt(4)) {
                case 0 -> wire[at] = (byte) random.nextInt(256);
                case 1 -> wire[at] ^= (byte) (1 << random.nextInt(8));
                case 2 -> wire = java.util.Arrays.copyOf(wire, at);
                default -> {
                    int length = Math.min(wire.length - at, random.nextInt(40));
                    byte[] longer = java.util.Arrays.copyOf(wire, Math.min(BgpMessage.LONGEST, wire.length + length));
                    System.arraycopy(wire, at, longer, wire.length, longer.length - wire.length);
                    wire = longer;
                }
            }
        }
        return framed(wire, type);
    }

    private static byte[] framed(byte[] wire, int type) {
        java.util.Arrays.fill(wire, 0, 16, (byte) 0xFF);
        wire[16] = (byte) (wire.length >> 8);
        wire[17] = (byte) wire.length;
        wire[18] = (byte) type;
        return wire;
    }
}
