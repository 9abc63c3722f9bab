package io.podwire.node.plan;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ReplicaTest {
    @ParameterizedTest
    @CsvSource({
        "shop,web-0,web,0",
        "shop,web-10,web,10",
        "shop,web-2-3,web-2,3",
        "shop,a.b-7,a.b,7",
        "shop,web-999999999,web,999999999"
    })
    void aPodOfAStatefulSetIsAReplica(String namespace, String pod, String workload, int ordinal) {
        Replica replica = Replica.ofPod(new PodName(namespace, pod)).orElseThrow();
        assertThat(replica).isEqualTo(new Replica(namespace, workload, ordinal));
        assertThat(replica).hasToString(namespace + "/" + pod);
    }

    @ParameterizedTest
    @CsvSource({
        "shop,web",
        "shop,web-",
        "shop,-0",
        "shop,web-01",
        "shop,web-7d9f8-x2c4z",
        "shop,Web-0",
        "'',web-0",
        "shop,''",
        "shop,web-9999999999"
    })
    void othersAreNone(String namespace, String pod) {
        assertThat(Replica.ofPod(new PodName(namespace, pod))).isEmpty();
    }
}
