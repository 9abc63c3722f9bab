package io.podwire.ipam.service;

import io.podwire.ipam.store.EtcdExtension;
import io.podwire.ipam.store.IpamStore;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.extension.RegisterExtension;

class EtcdAuditFlowTest extends AuditFlowContract {
    @RegisterExtension
    static final EtcdExtension ETCD = new EtcdExtension();

    private final IpamStore store = ETCD.newStore(Duration.ofSeconds(5));

    @AfterEach
    void close() {
        store.close();
    }

    @Override
    IpamStore store() {
        return store;
    }
}
