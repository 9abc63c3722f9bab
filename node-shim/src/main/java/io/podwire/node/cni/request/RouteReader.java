package io.podwire.node.cni.request;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.plan.ExtraRoute;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** Key routes of the configuration: a list of {dst, gw, mtu, advmss, priority, table, scope}. */
final class RouteReader {
    private static final String KEY = "routes";
    private static final long MAX_U32 = (1L << 32) - 1;
    private static final int MAX_MTU = 65_535;
    private static final int MIN_MTU = 68;
    private static final int MAX_SCOPE = 255;

    private RouteReader() {}

    static List<ExtraRoute> read(CaselessObject config) throws RequestException {
        List<ExtraRoute> routes = new ArrayList<>();
        int index = 0;
        for (JsonNode element : config.list(KEY)) {
            routes.add(one(CaselessObject.of(config.at(KEY) + "[" + index++ + "]", element)));
        }
        return routes;
    }

    private static ExtraRoute one(CaselessObject route) throws RequestException {
        IpPrefix destination;
        try {
            destination = IpPrefix.parse(route.text("dst"));
        } catch (IllegalArgumentException e) {
            throw RequestException.invalid(route.at("dst"), e.getMessage());
        }
        Optional<IpAddress> gateway = gateway(route);
        if (gateway.isPresent() && gateway.get().family() != destination.family()) {
            throw RequestException.invalid(
                    route.at("gw"), gateway.get() + " is of another family than dst " + destination);
        }
        OptionalLong table = route.number("table", 0, MAX_U32);
        return new ExtraRoute(
                destination,
                gateway,
                narrow(route.number("mtu", MIN_MTU, MAX_MTU)),
                narrow(route.number("advmss", 1, MAX_MTU)),
                route.number("priority", 0, MAX_U32),
                // RT_TABLE_UNSPEC, which the kernel takes for the main table.
                table.isPresent() && table.getAsLong() == 0 ? OptionalLong.empty() : table,
                scope(route));
    }

    private static Optional<IpAddress> gateway(CaselessObject route) throws RequestException {
        String text = route.text("gw");
        try {
            return text.isEmpty() ? Optional.empty() : Optional.of(IpAddress.parse(text));
        } catch (IllegalArgumentException e) {
            throw RequestException.invalid(route.at("gw"), e.getMessage());
        }
    }

    private static OptionalInt scope(CaselessObject route) throws RequestException {
        OptionalInt scope = narrow(route.number("scope", 0, MAX_SCOPE));
        if (scope.isPresent() && scope.getAsInt() != 0) {
            throw RequestException.unsupported(
                    route.at("scope"),
                    "it is " + scope.getAsInt()
                            + ": only 0 (global), since a pod shares its link with nobody but the gateway");
        }
        return scope;
    }

    private static OptionalInt narrow(OptionalLong value) {
        return value.isPresent() ? OptionalInt.of((int) value.getAsLong()) : OptionalInt.empty();
    }
}
