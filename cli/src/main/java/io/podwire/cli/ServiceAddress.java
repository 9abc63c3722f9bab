package io.podwire.cli;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.proto.common.v1.Protocol;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Where a client connects to: {@code 10.96.0.10:53/udp}, {@code [fd00::a]:53}.
 *
 * @param port 1 to 65535
 */
record ServiceAddress(IpAddress address, int port, Protocol protocol) {
    private static final Pattern FORM =
            Pattern.compile("(?:\\[([^\\]]+)]|([^:\\[\\]]+)):([0-9]{1,5})(?:/([A-Za-z]+))?");
    private static final Map<String, Protocol> PROTOCOLS =
            Map.of("tcp", Protocol.PROTOCOL_TCP, "udp", Protocol.PROTOCOL_UDP, "sctp", Protocol.PROTOCOL_SCTP);

    /** Its words in messages, as it can be given again. */
    @Override
    public String toString() {
        return authority(address, port)
                + (protocol == Protocol.PROTOCOL_TCP ? "" : "/" + name(protocol).toLowerCase(Locale.ROOT));
    }

    /** {@code 10.0.0.1:80}, {@code [fd00::1]:80}. */
    static String authority(IpAddress address, int port) {
        return (address.family() == IpFamily.V6 ? "[" + address + "]" : address.toString()) + ":" + port;
    }

    /** As Services spell it: "TCP". */
    static String name(Protocol protocol) {
        return protocol.name().replace("PROTOCOL_", "");
    }

    /** Reads an argument. */
    static final class Converter implements ITypeConverter<ServiceAddress> {
        @Override
        public ServiceAddress convert(String text) {
            Matcher parts = FORM.matcher(text);
            if (!parts.matches()) {
                throw new TypeConversionException(
                        "'" + text
                                + "' is not ADDRESS:PORT or ADDRESS:PORT/udp; an IPv6 address stands in brackets, [fd00::a]:80");
            }
            int port = Integer.parseInt(parts.group(3));
            if (port < 1 || port > 65_535) {
                throw new TypeConversionException("a port is 1 to 65535, got " + port);
            }
            String protocol = parts.group(4) == null ? "tcp" : parts.group(4).toLowerCase(Locale.ROOT);
            if (!PROTOCOLS.containsKey(protocol)) {
                throw new TypeConversionException("a protocol is tcp, udp or sctp, got '" + parts.group(4) + "'");
            }
            try {
                IpAddress address = IpAddress.parse(parts.group(1) == null ? parts.group(2) : parts.group(1));
                return new ServiceAddress(address, port, PROTOCOLS.get(protocol));
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}
