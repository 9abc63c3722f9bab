/** ipam-service: which node owns which block of addresses. */
package io.podwire.ipam;
