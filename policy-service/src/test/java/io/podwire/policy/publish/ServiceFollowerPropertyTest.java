package io.podwire.policy.publish;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.NodeName;
import io.podwire.common.testing.Seeds;
import io.podwire.policy.service.RandomServices;
import io.podwire.policy.service.ServiceCatalog;
import io.podwire.policy.service.ServicePort;
import io.podwire.policy.service.ServiceView;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** A node that is told of changes whenever it has time knows in the end what there is. */
class ServiceFollowerPropertyTest {
    @Test
    void whoIsToldAtAnyTimeKnowsEverything() {
        Seeds.forEach(ServiceFollowerPropertyTest.class, 200, random -> {
            RandomServices changes = new RandomServices(random);
            ServiceCatalog catalog = new ServiceCatalog();
            for (int i = random.nextInt(40); i > 0; i--) {
                var _ = catalog.apply(changes.delta());
            }
            NodeName node = new NodeName(RandomServices.NODES.get(random.nextInt(4)));
            ServiceFollower follower = new ServiceFollower(
                    catalog, new ServiceStream(new ServiceTransport()), node, 1 + random.nextInt(3));
            Told told = new Told();
            for (int step = 0; step < 60; step++) {
                follow(random, follower, told);
                follower.changed(catalog.apply(changes.delta()));
            }
            while (told.take(follower)) {}
            Map<String, ServicePort> now = new TreeMap<>();
            for (ServiceView view : catalog.views().values()) {
                view.ports(catalog.place(node.value())).forEach(port -> now.put(port.id(), port));
            }
            assertThat(told.complete).isTrue();
            assertThat(told.ports).isEqualTo(now);
            assertThat(told.take(follower)).as("nothing is told twice").isFalse();
        });
    }

    private static void follow(RandomGenerator random, ServiceFollower follower, Told told) {
        for (int i = random.nextInt(3); i > 0; i--) {
            if (!told.take(follower)) {
                return;
            }
        }
    }

    /** What a node knows. */
    private static final class Told {
        private final Map<String, ServicePort> ports = new TreeMap<>();
        private boolean complete;

        boolean take(ServiceFollower follower) {
            Optional<ServiceFollower.Step> step = follower.next();
            step.ifPresent(some -> some.parts().forEach(part -> {
                assertThat(part.complete() || !complete).isTrue();
                complete = part.complete();
                part.changed()
                        .forEach(port -> assertThat(ports.put(port.id(), port))
                                .as("what is told is news")
                                .isNotEqualTo(port));
                part.removed().forEach(id -> assertThat(ports.remove(id)).isNotNull());
            }));
            return step.isPresent();
        }
    }
}
