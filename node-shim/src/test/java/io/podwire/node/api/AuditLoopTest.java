package io.podwire.node.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.node.dataplane.Finding;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class AuditLoopTest {
    private static final Finding LINK = new Finding("link", "pw1", "is gone");
    private static final Finding OTHER_LINK = new Finding("link", "pw2", "is gone");
    private static final Finding ROUTE = new Finding("route", "10.1.0.5/32", "belongs to no attachment");

    private List<Finding> found = List.of();
    private boolean fails;
    private final List<Map<String, Integer>> told = new ArrayList<>();
    private final AuditLoop audits = new AuditLoop(
            () -> {
                if (fails) {
                    throw new IllegalStateException("netlink answers nothing");
                }
                return found;
            },
            told::add);

    @Test
    void whatTwoLooksShareIsToldByKind() {
        look(LINK, ROUTE);
        assertThat(told).as("one look says nothing, not even that all is well").isEmpty();
        look(LINK, OTHER_LINK, ROUTE);
        look(LINK, OTHER_LINK);
        look(OTHER_LINK);
        look();
        assertThat(told).containsExactly(Map.of("link", 1, "route", 1), Map.of("link", 2), Map.of("link", 1), Map.of());
        assertThat(audits.total()).isZero();
    }

    @Test
    void aNodeThatAgreesWithItsKernelSaysSo() {
        look();
        look();
        assertThat(told).containsExactly(Map.of());
    }

    @Test
    void anAddThatIsUnderWayAtOneLookIsNoFinding() {
        look(LINK);
        look(ROUTE);
        look(LINK);
        assertThat(told).containsExactly(Map.of(), Map.of());
    }

    @Test
    void aLookThatFailsTellsNothing() {
        look(LINK);
        look(LINK);
        assertThat(audits.total()).isEqualTo(1);
        fails = true;
        look();
        assertThat(told).hasSize(1);
        assertThat(audits.total()).as("as it was").isEqualTo(1);
        fails = false;
        look(LINK);
        assertThat(told).containsExactly(Map.of("link", 1), Map.of("link", 1));
    }

    private void look(Finding... findings) {
        found = List.of(findings);
        audits.look();
    }
}
