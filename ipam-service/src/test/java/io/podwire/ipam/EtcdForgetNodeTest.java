package io.podwire.ipam;

import io.podwire.ipam.store.EtcdServer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

class EtcdForgetNodeTest extends ForgetNodeContract {
    private static final AtomicInteger TESTS = new AtomicInteger();

    @TempDir
    private static Path dir;

    private static EtcdServer etcd;

    private final int test = TESTS.incrementAndGet();

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
    List<String> storeOptions() {
        return List.of("--store=etcd", "--etcd-endpoints=" + etcd.endpoint(), "--etcd-prefix=/forget-" + test + "/");
    }
}
