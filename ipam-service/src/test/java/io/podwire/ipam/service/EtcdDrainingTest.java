package io.podwire.ipam.service;

import io.podwire.ipam.store.EtcdExtension;
import io.podwire.ipam.store.IpamStore;
import java.time.Duration;
import org.junit.jupiter.api.extension.RegisterExtension;

class EtcdDrainingTest extends DrainingContract {
    @RegisterExtension
    static final EtcdExtension ETCD = new EtcdExtension();

    @Override
    IpamStore open() {
        return ETCD.newStore(Duration.ofSeconds(2));
    }
}
