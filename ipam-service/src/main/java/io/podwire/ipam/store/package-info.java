/** Where the ledger is kept: the one store interface, its two implementations, keys and values. */
package io.podwire.ipam.store;
