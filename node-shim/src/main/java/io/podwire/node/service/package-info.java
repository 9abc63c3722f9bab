/** Kubernetes Services as nf_tables has them: which members of which maps one port of a Service is. Pure. */
package io.podwire.node.service;
