package io.podwire.node.cni.request;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.MacAddress;
import io.podwire.node.plan.DnsSettings;
import io.podwire.node.plan.PodRequest;
import io.podwire.node.plan.WiringMode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What an ADD asks for: reads the configuration's own keys, args.cni, the capabilities of runtimeConfig that the
 * configuration declares, and CNI_ARGS. Pure.
 *
 * <p>Of one thing said in several places the first counts: runtimeConfig, args.cni, the pod's annotations, CNI_ARGS.
 */
public final class PodRequestReader {
    private static final int MIN_MTU = 576;
    private static final int MAX_MTU = 65_535;
    private static final Pattern POOL = Pattern.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?");
    /** Without white space or control characters: they would begin another word or line of resolv.conf(5). */
    private static final Pattern WORD = Pattern.compile("[!-~]{1,253}");
    /** A MAC address' group bit, IEEE 802 §8.2. */
    private static final long GROUP = 1L << 40;
    /** Capabilities that change what is made, and that Podwire has no such thing for. */
    private static final Map<String, String> ELSEWHERE = Map.of(
            "ipRanges", "ranges of addresses are pools of ipam-service",
            "infinibandGUID", "pods have Ethernet interfaces",
            "deviceID", "pods have virtual interfaces");

    private final CaselessObject config;
    private final CaselessObject capabilities;
    private final Map<String, String> annotations;
    private final RequestArgs args;

    private PodRequestReader(ObjectNode config, RequestArgs args) throws RequestException {
        this.config = CaselessObject.of("", config);
        this.capabilities = declared(this.config);
        this.annotations = Annotations.read(capabilities);
        this.args = args;
    }

    /**
     * Reads what is asked for.
     *
     * @param config the network configuration; not changed
     * @throws RequestException naming the first thing that is wrong or not supported
     */
    public static PodRequest read(ObjectNode config, RequestArgs args) throws RequestException {
        return new PodRequestReader(config, args).read();
    }

    /** A runtime sends what the configuration declares; where it leaves the declaration in, it is held to it. */
    static CaselessObject declared(CaselessObject config) throws RequestException {
        CaselessObject given = config.object("runtimeConfig");
        CaselessObject declared = config.object("capabilities");
        boolean declares = config.get("capabilities").isPresent();
        ObjectNode kept = JsonNodeFactory.instance.objectNode();
        for (String name : List.of("portMappings", "bandwidth", "ips", "mac", "dns", Annotations.CAPABILITY)) {
            Optional<JsonNode> value = given.get(name);
            if (value.isPresent() && (!declares || declared.flag(name))) {
                kept.set(name, value.get());
            }
        }
        for (Map.Entry<String, String> other : ELSEWHERE.entrySet()) {
            Optional<JsonNode> value = given.get(other.getKey());
            if (value.isPresent()
                    && (value.get().isValueNode()
                            ? !value.get().asText().isEmpty()
                            : !value.get().isEmpty())) {
                throw RequestException.unsupported(
                        given.at(other.getKey()), "take it out of the capabilities: " + other.getValue());
            }
        }
        return CaselessObject.of("runtimeConfig", kept);
    }

    private PodRequest read() throws RequestException {
        refuseModes();
        List<IpAddress> addresses = addresses();
        return new PodRequest(
                addresses,
                mac(),
                pool(),
                HostPortReader.read(capabilities),
                ShapingReader.read(capabilities, capabilities.at(Annotations.CAPABILITY), annotations),
                dns(),
                SysctlRules.check(config.textByName("sysctl"), args.ifname()),
                mtu(),
                RouteReader.read(config),
                reserve(addresses));
    }

    private void refuseModes() throws RequestException {
        if (config.flag("promiscMode") && !(WiringModeReader.read(config) instanceof WiringMode.Macvlan)) {
            throw RequestException.unsupported(
                    config.at("promiscMode"),
                    "it is true: in bridge mode pods share no link, there is nothing else to listen to, nor in any"
                            + " other mode but macvlan");
        }
        if (config.flag("hairpinMode")) {
            throw RequestException.unsupported(
                    config.at("hairpinMode"),
                    "it is true: in bridge mode no frame is bridged, and a pod reaches itself by its host ports anyway");
        }
    }

    private List<IpAddress> addresses() throws RequestException {
        List<String> runtime = capabilities.texts("ips");
        if (!runtime.isEmpty()) {
            return addresses(runtime, details -> RequestException.invalid(capabilities.at("ips"), details));
        }
        CaselessObject cniArgs = config.object("args").object("cni");
        List<String> fromArgs = cniArgs.texts("ips");
        if (!fromArgs.isEmpty()) {
            return addresses(fromArgs, details -> RequestException.invalid(cniArgs.at("ips"), details));
        }
        List<String> annotated = split(annotations.getOrDefault(Annotations.IP, ""));
        if (!annotated.isEmpty()) {
            return addresses(annotated, details -> RequestException.invalid("annotation " + Annotations.IP, details));
        }
        return addresses(split(args.ip()), details -> RequestException.environment("IP", details));
    }

    private static List<String> split(String list) {
        return Stream.of(list.split(",", -1))
                .map(String::strip)
                .filter(text -> !text.isEmpty())
                .toList();
    }

    /** What is wrong, as an exception. */
    @FunctionalInterface
    private interface Wrong {
        RequestException with(String details);
    }

    private static List<IpAddress> addresses(List<String> texts, Wrong wrong) throws RequestException {
        List<IpAddress> addresses = new ArrayList<>();
        for (String text : texts) {
            IpAddress address;
            try {
                address = address(text);
            } catch (IllegalArgumentException e) {
                throw wrong.with("it must be addresses such as 10.1.0.5 or 10.1.0.5/24; " + e.getMessage());
            }
            if (addresses.stream().anyMatch(other -> other.family() == address.family())) {
                throw wrong.with("a pod has at most one address of each family, got " + texts);
            }
            addresses.add(address);
        }
        return addresses;
    }

    /** An address, perhaps with the length of a subnet, which a pod here is in none of. */
    private static IpAddress address(String text) {
        int slash = text.indexOf('/');
        if (slash < 0) {
            return IpAddress.parse(text);
        }
        IpAddress address = IpAddress.parse(text.substring(0, slash));
        String length = text.substring(slash + 1);
        if (!length.matches("[0-9]{1,3}")
                || Integer.parseInt(length) > address.family().bits()) {
            throw new IllegalArgumentException("'" + text + "' has no prefix length from 0 to "
                    + address.family().bits());
        }
        return address;
    }

    private Optional<MacAddress> mac() throws RequestException {
        String runtime = capabilities.text("mac");
        if (!runtime.isEmpty()) {
            return Optional.of(mac(runtime, details -> RequestException.invalid(capabilities.at("mac"), details)));
        }
        String annotated = annotations.getOrDefault(Annotations.MAC, "");
        if (!annotated.isEmpty()) {
            return Optional.of(
                    mac(annotated, details -> RequestException.invalid("annotation " + Annotations.MAC, details)));
        }
        String given = args.mac();
        return given.isEmpty()
                ? Optional.empty()
                : Optional.of(mac(given, details -> RequestException.environment("MAC", details)));
    }

    private static MacAddress mac(String text, Wrong wrong) throws RequestException {
        MacAddress mac;
        try {
            mac = MacAddress.parse(text);
        } catch (IllegalArgumentException e) {
            throw wrong.with(e.getMessage());
        }
        if ((mac.bits() & GROUP) != 0 || mac.bits() == 0) {
            throw wrong.with("it must be an interface's own address, got " + mac
                    + (mac.bits() == 0 ? "" : ", which is a group's"));
        }
        return mac;
    }

    private Optional<String> pool() throws RequestException {
        String pool = annotations.getOrDefault(Annotations.POOL, "");
        if (!pool.isEmpty() && !POOL.matcher(pool).matches()) {
            throw RequestException.invalid(
                    "annotation " + Annotations.POOL,
                    "a pool's name has 1 to 63 characters of [a-z0-9-], got \"" + pool + "\"");
        }
        return pool.isEmpty() ? Optional.empty() : Optional.of(pool);
    }

    private boolean reserve(List<IpAddress> addresses) throws RequestException {
        String value = annotations.getOrDefault(Annotations.RESERVE, "");
        boolean reserve = value.equals("true");
        if (!reserve && !value.isEmpty() && !value.equals("false")) {
            throw RequestException.invalid(
                    "annotation " + Annotations.RESERVE, "it must be \"true\" or \"false\", got \"" + value + "\"");
        }
        if (reserve && !addresses.isEmpty()) {
            throw RequestException.invalid(
                    "annotation " + Annotations.RESERVE,
                    "the pod also names " + addresses + ": take one of the two, a reservation chooses the addresses");
        }
        return reserve;
    }

    private Optional<DnsSettings> dns() throws RequestException {
        CaselessObject dns = capabilities.object("dns");
        DnsSettings settings =
                new DnsSettings(words(dns, "servers"), "", words(dns, "searches"), words(dns, "options"));
        boolean nothing = settings.nameservers().isEmpty()
                && settings.search().isEmpty()
                && settings.options().isEmpty();
        return nothing ? Optional.empty() : Optional.of(settings);
    }

    private static List<String> words(CaselessObject dns, String key) throws RequestException {
        List<String> words = dns.texts(key);
        for (String word : words) {
            if (!WORD.matcher(word).matches()) {
                throw RequestException.invalid(
                        dns.at(key), "each must be 1 to 253 printable ASCII characters without a space");
            }
        }
        return words;
    }

    private OptionalInt mtu() throws RequestException {
        OptionalLong mtu = config.number("mtu", 0, MAX_MTU);
        if (mtu.isEmpty() || mtu.getAsLong() == 0) {
            return OptionalInt.empty();
        }
        if (mtu.getAsLong() < MIN_MTU) {
            throw RequestException.invalid(
                    config.at("mtu"),
                    "it must be 0 for the derived one, or " + MIN_MTU + " to " + MAX_MTU + " bytes, got "
                            + mtu.getAsLong());
        }
        return OptionalInt.of((int) mtu.getAsLong());
    }
}
