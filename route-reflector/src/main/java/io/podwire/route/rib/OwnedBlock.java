package io.podwire.route.rib;

import io.podwire.common.net.IpPrefix;

/**
 * A block and the node that owns it.
 *
 * @param prefix its addresses
 * @param owner in the newest epoch known
 */
public record OwnedBlock(IpPrefix prefix, NodeEpoch owner) {}
