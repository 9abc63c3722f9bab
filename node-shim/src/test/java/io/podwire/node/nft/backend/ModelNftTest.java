package io.podwire.node.nft.backend;

/** The model keeps the contract. */
class ModelNftTest extends NftBackendContract {
    @Override
    NftBackend open() {
        return new ModelNft();
    }

    @Override
    void close(NftBackend backend) {}

    @Override
    int rounds() {
        return 300;
    }
}
