package io.podwire.node.cni.request;

import java.util.Map;

/**
 * What an ADD's environment adds to its configuration.
 *
 * @param ifname CNI_IFNAME
 * @param ip IP of CNI_ARGS, empty where it has none
 * @param mac MAC of CNI_ARGS, empty where it has none
 */
public record RequestArgs(String ifname, String ip, String mac) {
    /**
     * Of a call.
     *
     * @param args CNI_ARGS by key
     */
    public static RequestArgs of(String ifname, Map<String, String> args) {
        return new RequestArgs(ifname, args.getOrDefault("IP", ""), args.getOrDefault("MAC", ""));
    }
}
