package io.podwire.ipam.service;

import io.podwire.ipam.store.EtcdAccess;
import io.podwire.ipam.store.EtcdIpamStore;
import io.podwire.ipam.store.EtcdServer;
import io.podwire.ipam.store.IpamStore;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

class EtcdDrainingTest extends DrainingContract {
    private static final AtomicInteger TESTS = new AtomicInteger();

    @TempDir
    private static Path dir;

    private static EtcdServer etcd;

    @BeforeAll
    static void startEtcd() throws IOException {
        etcd = EtcdServer.start(dir);
    }

    @AfterAll
    static void stopEtcd() {
        if (etcd != null) {
            etcd.close();
        }
    }

    @Override
    IpamStore open() {
        return EtcdIpamStore.connect(
                EtcdAccess.plain(List.of(etcd.endpoint())),
                "/drain-" + TESTS.incrementAndGet() + "/",
                Duration.ofSeconds(2));
    }
}
