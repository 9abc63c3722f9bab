package io.podwire.ipam;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;

class MvForgetNodeTest extends ForgetNodeContract {
    @TempDir
    private Path dir;

    @Override
    List<String> storeOptions() {
        return List.of("--store=mvstore", "--mvstore-file=" + dir.resolve("ipam.mv"));
    }
}
