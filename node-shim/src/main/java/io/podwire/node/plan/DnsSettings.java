package io.podwire.node.plan;

import java.util.List;

/**
 * What a pod's resolv.conf(5) should say. Podwire hands it on in the result; the runtime writes the file.
 *
 * @param nameservers addresses
 * @param domain local domain, or empty
 * @param search domains to search
 * @param options options
 */
public record DnsSettings(List<String> nameservers, String domain, List<String> search, List<String> options) {
    /** Copies. */
    public DnsSettings {
        nameservers = List.copyOf(nameservers);
        search = List.copyOf(search);
        options = List.copyOf(options);
    }
}
