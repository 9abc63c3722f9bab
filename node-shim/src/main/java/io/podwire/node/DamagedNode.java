package io.podwire.node;

import io.micrometer.core.instrument.Gauge;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.service.ServiceContext;
import io.podwire.common.service.ServiceRunner;
import io.podwire.node.api.NodeGrpcService;
import io.podwire.node.cni.RefusingCniService;
import io.podwire.node.dataplane.Finding;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.rt.Link;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.node.v1.NodeStatus;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A node whose journal must not be believed while pods run on it. Their links, rules and routes stay as they
 * are; no pod is attached, and DELs wait in cni-shim's spool. Once the last pod is gone the process ends, for
 * its supervisor to start it again: a start without pods begins a new journal and does the DELs.
 */
final class DamagedNode {
    /** EX_TEMPFAIL, sysexits.h: whoever started it should do so again. */
    static final int START_AGAIN = 75;

    private static final Logger log = LoggerFactory.getLogger(DamagedNode.class);
    private static final Duration LOOK = Duration.ofSeconds(5);

    private final NodeOptions options;
    private final Rtnetlink host;
    private final String why;

    private DamagedNode(NodeOptions options, Rtnetlink host, String why) {
        this.options = options;
        this.host = host;
        this.why = why;
    }

    static void wire(NodeOptions options, ServiceContext context, Rtnetlink host, String why) {
        DamagedNode node = new DamagedNode(options, host, why);
        log.error("no pod is attached, and pods that run keep what they have: {}", why);
        context.serve(new RefusingCniService(node::reason));
        context.serve(new NodeGrpcService(
                List::of,
                node::status,
                node::audit,
                _ -> {
                    throw node.refused();
                },
                () -> {
                    throw node.refused();
                }));
        context.readyWhen("journal", () -> false);
        Gauge.builder("podwire.journal.damaged", () -> 1)
                .description("1 while the journal must not be believed and no pod is attached")
                .register(context.meters());
        context.own(new EventLoop("damaged")).every(LOOK, node::look);
    }

    private void look() {
        if (pods().isEmpty()) {
            log.warn("the last pod is gone: ending, to begin a new journal at the next start");
            System.exit(START_AGAIN);
        }
    }

    private List<Link> pods() {
        return host.links().stream().filter(PodNames::isPodLink).toList();
    }

    private String reason() {
        return why + "; " + pods().size() + " pods run and keep what they have; drain or reboot the node: once the"
                + " last pod is gone a new journal is begun";
    }

    private ServiceException refused() {
        return new ServiceException(ErrorReason.FAILED_PRECONDITION, "asking the kernel about pods: " + reason());
    }

    private NodeStatus status() {
        return NodeStatus.newBuilder()
                .setNode(NodeEpoch.newBuilder().setNode(options.nodeName().value()))
                .setRelease(ServiceRunner.RELEASE)
                .addReasons(reason())
                .setPolicyEnforced(options.policyService().isPresent())
                .build();
    }

    private List<Finding> audit() {
        List<Finding> findings = new ArrayList<>(List.of(new Finding("journal", "journal.mv", why)));
        Stream<Finding> unknown = pods().stream()
                .map(link -> new Finding("link", link.name(), "is known by its alias alone: " + link.alias()));
        unknown.forEach(findings::add);
        return findings;
    }
}
