package io.podwire.node.cni;

import io.podwire.node.cni.CniException.Code;
import io.podwire.node.cni.request.RequestException;
import io.podwire.node.cni.request.WiringModeReader;
import io.podwire.node.plan.WiringMode;

/** The mode that a configuration asks for. */
final class WiringModes {
    private WiringModes() {}

    /**
     * Reads it.
     *
     * @throws CniException code 7, or 2 for what Podwire has no mode for, naming the key and what is allowed
     */
    static WiringMode of(NetworkConfig config) throws CniException {
        try {
            return WiringModeReader.read(config.raw());
        } catch (RequestException e) {
            Code code = switch (e.kind()) {
                case ENVIRONMENT -> Code.INVALID_ENVIRONMENT;
                case INVALID -> Code.INVALID_CONFIG;
                case UNSUPPORTED -> Code.UNSUPPORTED_FIELD;
            };
            throw new CniException(code, String.valueOf(e.getMessage()), e.details(), e);
        }
    }
}
