/** Who has which address, as nodes report it: kept in memory alone, and told anew after a restart. */
package io.podwire.ipam.binding;
