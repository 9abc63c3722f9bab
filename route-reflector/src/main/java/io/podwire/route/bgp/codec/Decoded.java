package io.podwire.route.bgp.codec;

import io.podwire.route.bgp.message.BgpMessage;
import java.util.List;

/**
 * A message, and what was wrong with it without ending the session.
 *
 * @param message with prefixes that are to be treated as withdrawn among the withdrawn ones
 * @param errors in the order found
 */
public record Decoded(BgpMessage message, List<AttributeError> errors) {
    /** Copies. */
    public Decoded {
        errors = List.copyOf(errors);
    }

    /** One without errors. */
    static Decoded of(BgpMessage message) {
        return new Decoded(message, List.of());
    }

    /** True when its routes count as withdrawn. */
    public boolean treatedAsWithdraw() {
        return errors.stream().anyMatch(error -> error.action() == ErrorAction.TREAT_AS_WITHDRAW);
    }
}
