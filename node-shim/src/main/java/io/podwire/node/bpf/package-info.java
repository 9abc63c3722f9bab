/**
 * Podwire's BPF programs, compiled from src/main/bpf: into the kernel, and what they are told there. Where they are
 * attached is dataplane's matter.
 */
package io.podwire.node.bpf;
