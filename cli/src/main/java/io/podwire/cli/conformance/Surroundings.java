package io.podwire.cli.conformance;

import io.podwire.cli.lab.Tool;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * What plugins expect of a machine, in the tester's sandbox: a device with a default route, and a
 * /var/lib that they can write to without changing the real one. The sandbox's end takes it all away.
 */
final class Surroundings {
    private static final Path STATE = Path.of("/var/lib");

    private Surroundings() {}

    /** Makes them, where they are missing. */
    static void make() throws IOException {
        layer();
        if (Namespace.own().look().links().stream().allMatch(link -> link.name().equals("lo"))) {
            uplink();
        }
    }

    /** host-local and others keep files below /var/lib, whatever the configuration's network. */
    private static void layer() throws IOException {
        Path folder = Path.of("/run/podwire-conformance");
        if (Files.exists(folder)) {
            return;
        }
        Path upper = Files.createDirectories(folder.resolve("upper"));
        Path work = Files.createDirectories(folder.resolve("work"));
        var _ = Tool.output(
                "mount",
                "-t",
                "overlay",
                "overlay",
                "-o",
                "lowerdir=" + STATE + ",upperdir=" + upper + ",workdir=" + work,
                STATE.toString());
    }

    /** eth0 in the documentation networks of RFC 5737 and RFC 3849, for plugins that want a master or a default route. */
    private static void uplink() {
        String outside = "pwct-outside";
        for (String line : List.of(
                "netns add " + outside,
                "link add eth0 type veth peer name eth0 netns " + outside,
                "-n " + outside + " addr add 192.0.2.1/24 dev eth0",
                "-n " + outside + " -6 addr add 2001:db8::1/64 dev eth0 nodad",
                "-n " + outside + " link set eth0 up",
                "addr add 192.0.2.2/24 dev eth0",
                "-6 addr add 2001:db8::2/64 dev eth0 nodad",
                "link set eth0 up",
                "route add default via 192.0.2.1",
                "-6 route add default via 2001:db8::1")) {
            var _ = Tool.output(("ip " + line).split(" "));
        }
    }
}
