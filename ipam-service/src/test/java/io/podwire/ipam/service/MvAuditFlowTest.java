package io.podwire.ipam.service;

import io.podwire.ipam.store.IpamStore;
import io.podwire.ipam.store.MvIpamStore;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;

class MvAuditFlowTest extends AuditFlowContract {
    private final MvIpamStore store;

    MvAuditFlowTest(@TempDir Path dir) throws IOException {
        store = MvIpamStore.open(dir.resolve("ipam.mv"));
    }

    @AfterEach
    void close() {
        store.close();
    }

    @Override
    IpamStore store() {
        return store;
    }
}
