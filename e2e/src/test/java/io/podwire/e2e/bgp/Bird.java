package io.podwire.e2e.bgp;

import io.podwire.e2e.mesh.Daemon;
import io.podwire.e2e.mesh.Shell;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** BIRD 2 as a router with one neighbour, the reflector. */
public final class Bird implements AutoCloseable {
    private final Path control;
    private final Daemon daemon;

    /**
     * A router in its own namespace; not started.
     *
     * @param asn its AS number
     * @param session further words of its protocol bgp
     * @param statics prefixes it announces
     */
    Bird(BgpNet net, String name, int number, long asn, String session, String... statics) {
        this(net, name, number, asn, session, BgpNet.ADDRESS, List.of(statics));
    }

    /** The same, whose session runs over IPv6. */
    static Bird overIpv6(BgpNet net, String name, int number, long asn, String session, String... statics) {
        return new Bird(net, name, number, asn, session, BgpNet.ADDRESS6, List.of(statics));
    }

    private Bird(
            BgpNet net, String name, int number, long asn, String session, String reflector, List<String> statics) {
        this(
                net.folder(),
                name,
                new Place(madeIn(net, name, number), BgpNet.address(number), BgpNet.address6(number)),
                asn,
                session,
                new Neighbour(reflector, BgpNet.PORT),
                statics);
    }

    private static String madeIn(BgpNet net, String name, int number) {
        net.namespace(name, number);
        return name;
    }

    /**
     * Where a router is.
     *
     * @param netns its network namespace
     * @param four its address
     * @param six the same of IPv6
     */
    public record Place(String netns, String four, String six) {}

    /** Where a reflector of AS 64512 is. */
    public record Neighbour(String address, int port) {}

    /**
     * A router in a namespace that is there; not started.
     *
     * @param folder where its files are
     * @param asn its AS number
     * @param session further words of its protocol bgp
     * @param statics prefixes it announces
     */
    public Bird(
            Path folder,
            String name,
            Place place,
            long asn,
            String session,
            Neighbour reflector,
            List<String> statics) {
        control = folder.resolve(name + ".ctl");
        StringBuilder config = new StringBuilder("""
            router id %s;
            log stderr all;
            protocol device {}
            protocol direct { ipv4; ipv6; }
            protocol kernel k4 { persist; ipv4 { export where source = RTS_BGP; }; }
            protocol kernel k6 { persist; ipv6 { export where source = RTS_BGP; }; }
            """.formatted(place.four()));
        for (String prefix : statics) {
            String family = prefix.contains(":") ? "ipv6" : "ipv4";
            config.append("protocol static { %s; route %s blackhole; }%n".formatted(family, prefix));
        }
        config.append("""
                protocol bgp up {
                  local as %d;
                  neighbor %s port %d as 64512;
                  connect delay time 1; connect retry time 2; error wait time 1, 2;
                  graceful restart on;
                  %s
                  ipv4 { import all; export where source = RTS_STATIC; next hop address %s; add paths rx; };
                  ipv6 { import all; export where source = RTS_STATIC; next hop address %s; add paths rx; };
                }
                """.formatted(asn, reflector.address(), reflector.port(), session, place.four(), place.six()));
        Path file = folder.resolve(name + ".conf");
        try {
            Files.writeString(file, config);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        daemon = new Daemon(
                name,
                folder.resolve(name + ".log"),
                List.of("nsenter", "--net=/run/netns/" + place.netns(), "--"),
                List.of("bird", "-f", "-c", file.toString(), "-s", control.toString(), "-P", control + ".pid"));
    }

    /** Starts it. */
    public Bird start(String... further) {
        daemon.start(List.of(further));
        return this;
    }

    Daemon daemon() {
        return daemon;
    }

    /** What it answers. */
    public String ask(String... words) {
        List<String> command = new ArrayList<>(List.of("birdc", "-s", control.toString()));
        command.addAll(List.of(words));
        return Shell.attempt(command.toArray(String[]::new)).stdout();
    }

    /** What it knows of a prefix, with all attributes. */
    public String route(String prefix) {
        return ask("show", "route", prefix, "all");
    }

    @Override
    public void close() {
        daemon.close();
    }
}
