package io.podwire.ipam.store;

class MemoryIpamStoreTest extends IpamStoreContract {
    private final MemoryIpamStore store = new MemoryIpamStore();

    @Override
    IpamStore store() {
        return store;
    }
}
