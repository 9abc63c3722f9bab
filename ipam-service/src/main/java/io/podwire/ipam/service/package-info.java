/** The gRPC services, and the flows that read, decide and write. */
package io.podwire.ipam.service;
