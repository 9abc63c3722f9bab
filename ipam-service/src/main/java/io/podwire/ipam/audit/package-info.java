/** Whether the store, its pools and what nodes report agree: pure, but for what was seen at earlier looks. */
package io.podwire.ipam.audit;
