/** Pools that are declared elsewhere than by calls: in a folder of manifests, in the Kubernetes API. */
package io.podwire.ipam.source;
