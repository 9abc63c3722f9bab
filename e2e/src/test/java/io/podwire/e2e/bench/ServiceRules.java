package io.podwire.e2e.bench;

import io.podwire.proto.policy.v1.ServicePort;
import java.io.IOException;
import java.util.List;

/** What translates Services in a namespace that stands for a node. Each call returns when the kernel does it. */
interface ServiceRules extends AutoCloseable {
    /** Writes all of them where there is nothing yet. */
    void program(List<ServicePort> services) throws IOException;

    /**
     * One of them is another now.
     *
     * @param services all of them, with {@code after}
     */
    void change(List<ServicePort> services, ServicePort before, ServicePort after) throws IOException;

    @Override
    void close();
}
