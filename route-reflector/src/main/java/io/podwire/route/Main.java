package io.podwire.route;

import io.podwire.common.loop.TimeSource;
import io.podwire.common.service.ServiceContext;
import io.podwire.common.service.ServiceRunner;
import io.podwire.route.peers.KubernetesBgp;
import io.podwire.route.peers.PeerRegistry;
import io.podwire.route.reflect.Reflector;
import io.podwire.route.service.BgpGrpcService;
import io.podwire.route.service.BgpMetrics;
import io.podwire.route.service.OwnersClient;
import io.podwire.route.service.RoutesGrpcService;
import io.podwire.route.session.BgpSpeaker;
import io.podwire.route.session.SpeakerSettings;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The route reflector. */
public final class Main {
    private static final Logger log = LoggerFactory.getLogger(Main.class);

    private Main() {}

    /** Runs until SIGTERM; {@code --help} lists the options. */
    public static void main(String[] args) {
        ServiceRunner.run("route-reflector", args, new RouteOptions(), Main::wire);
    }

    /** The service's constructors. */
    public static void wire(RouteOptions options, ServiceContext context) {
        wire(options, context, TimeSource.SYSTEM);
    }

    static void wire(RouteOptions options, ServiceContext context, TimeSource time) {
        Reflector reflector = context.own(new Reflector(time, options.staleAfter(), context.meters()));
        reflector.serve(options.bgp().services(), options.bgp().servicePools());
        if (options.ipamService().isPresent()) {
            OwnersClient owners = context.own(new OwnersClient(
                    options.ipamService().get(),
                    options.ownershipInterval(),
                    options.bgp().servicePools(),
                    reflector));
            reflector.check(owners::ask);
            owners.start();
        } else {
            log.warn("without --ipam-service a node may announce whatever prefix no other node holds");
        }
        context.serve(new RoutesGrpcService(reflector, UUID.randomUUID().toString()));
        Optional<SpeakerSettings> bgp = options.bgp().settings();
        if (bgp.isPresent()) {
            BgpSpeaker speaker = context.own(new BgpSpeaker(bgp.get(), time, new SplittableRandom()));
            reflector.watchServices(speaker::services);
            reflector.watch(speaker::nodes);
            PeerRegistry registry =
                    new PeerRegistry(bgp.get(), options.bgp().stateFile(), speaker::peers, speaker::leaving);
            if (options.bgp().kubernetes()) {
                context.own(KubernetesBgp.connect(registry));
            }
            context.serve(new BgpGrpcService(speaker, registry));
            context.exposes(new BgpMetrics(speaker));
        }
    }
}
