package io.podwire.ipam;

import io.podwire.ipam.store.EtcdExtension;
import java.util.List;
import org.junit.jupiter.api.extension.RegisterExtension;

class EtcdNamespacesTest extends NamespacesContract {
    @RegisterExtension
    static final EtcdExtension ETCD = new EtcdExtension();

    /** The same for all that one test starts. */
    private final List<String> options = ETCD.newStoreOptions();

    @Override
    List<String> storeOptions() {
        return options;
    }
}
