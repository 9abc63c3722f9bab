package io.podwire.ipam.service;

import io.podwire.ipam.store.IpamStore;
import io.podwire.ipam.store.MvIpamStore;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

class MvDrainingTest extends DrainingContract {
    @TempDir
    private Path dir;

    @Override
    IpamStore open() throws IOException {
        return MvIpamStore.open(dir.resolve("ipam.mv"));
    }
}
