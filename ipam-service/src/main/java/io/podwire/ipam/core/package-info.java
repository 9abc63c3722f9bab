/** Pools, blocks, owners and the rules between them: values and decisions, nothing else. */
package io.podwire.ipam.core;
