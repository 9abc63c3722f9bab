package io.podwire.ipam.core;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;

/** One address that is wanted. */
public sealed interface AddressWish {
    /** Any pool that is for everyone. */
    String ANY_POOL = "";

    /** Name of the pool, or {@link #ANY_POOL}. */
    String pool();

    /** Its family. */
    IpFamily family();

    /** Any address of a family. */
    record Any(IpFamily family, String pool) implements AddressWish {
        /** Checks the pool's name. */
        public Any {
            checkPool(pool);
        }
    }

    /** This very one. */
    record This(IpAddress address, String pool) implements AddressWish {
        /** Checks the pool's name. */
        public This {
            checkPool(pool);
        }

        @Override
        public IpFamily family() {
            return address.family();
        }
    }

    private static void checkPool(String pool) {
        if (!pool.equals(ANY_POOL)) {
            Pool.checkName(pool);
        }
    }

    /** True when this address is what is wanted. */
    default boolean granted(SingleAddress by) {
        return (pool().equals(ANY_POOL) || pool().equals(by.pool()))
                && switch (this) {
                    case Any(IpFamily family, String _) -> by.address().family() == family;
                    case This(IpAddress address, String _) -> by.address().equals(address);
                };
    }
}
