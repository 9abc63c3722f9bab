package io.podwire.route.bgp.codec;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.route.bgp.Corpus;
import io.podwire.route.bgp.message.BgpMessage.Update;
import io.podwire.route.bgp.message.SessionFormat;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The error handling of RFC 4271 §6 and RFC 7606, one file for each line of their tables. */
class MalformedMessagesTest {
    static List<Corpus.Case> all() {
        return Corpus.all();
    }

    @ParameterizedTest
    @MethodSource("all")
    void eachHasTheReactionThatTheRfcAsksFor(Corpus.Case malformed) {
        assertThat(reaction(malformed.octets().toArray())).isEqualTo(malformed.expect());
    }

    private static String reaction(byte[] octets) {
        try {
            Decoded decoded = BgpDecoder.decode(octets, new SessionFormat(true, true));
            if (decoded.treatedAsWithdraw()) {
                Update update = (Update) decoded.message();
                assertThat(update.reach()).isEmpty();
                assertThat(update.withdrawn()).as("what it was about").isNotEmpty();
                return "withdraw";
            }
            return decoded.errors().isEmpty() ? "ok" : "discard";
        } catch (BgpProtocolException e) {
            return "reset " + e.answer().code() + "/" + e.answer().subcode();
        }
    }
}
