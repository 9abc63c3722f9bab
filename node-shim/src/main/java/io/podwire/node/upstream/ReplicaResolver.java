package io.podwire.node.upstream;

import com.google.common.base.Splitter;
import com.google.common.net.HostAndPort;
import io.grpc.EquivalentAddressGroup;
import io.grpc.NameResolver;
import io.grpc.NameResolverProvider;
import io.grpc.NameResolverRegistry;
import io.grpc.Status;
import io.grpc.StatusOr;
import io.grpc.SynchronizationContext;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executor;

/**
 * The replicas behind a list of targets, for a channel that takes the first that answers: in the order of the list,
 * those of one name in the order of their addresses, so that all nodes go to the same one while it is there. A name
 * without an address now is left out as long as another target has one. Looked up whenever a connection ends or fails.
 */
final class ReplicaResolver extends NameResolver {
    private static final String SCHEME = "replicas";

    private final String targets;
    private final Replicas.Lookup lookup;
    private final Executor asking;
    private final SynchronizationContext told;
    private Listener2 listener;
    private boolean looking;
    private boolean closed;

    static {
        NameResolverRegistry.getDefaultRegistry().register(new Provider());
    }

    private ReplicaResolver(String targets, Replicas.Lookup lookup, Args args) {
        this.targets = targets;
        this.lookup = lookup;
        this.asking = args.getOffloadExecutor();
        this.told = args.getSynchronizationContext();
    }

    /**
     * What a channel is made for.
     *
     * @param targets HOST:PORT, several with commas between
     */
    static String uri(String targets) {
        try {
            // A path has no brackets, as of an IPv6 address: it quotes them.
            return new URI(SCHEME, "", "/" + targets, null).toASCIIString();
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException("'" + targets + "' are no targets", e);
        }
    }

    /**
     * The replicas of all targets, in the order in which they are tried.
     *
     * @throws UnknownHostException when none of the targets has an address now
     */
    static List<String> replicas(String targets, Replicas.Lookup lookup) throws UnknownHostException {
        Set<String> found = new LinkedHashSet<>();
        List<String> unknown = new ArrayList<>();
        for (String target : Splitter.on(',').trimResults().omitEmptyStrings().split(targets)) {
            try {
                found.addAll(Replicas.of(target, lookup));
            } catch (UnknownHostException e) {
                unknown.add(String.valueOf(e.getMessage()));
            }
        }
        if (found.isEmpty()) {
            throw new UnknownHostException("none of " + targets + " has an address now: " + unknown);
        }
        return List.copyOf(found);
    }

    @Override
    public String getServiceAuthority() {
        return SCHEME;
    }

    @Override
    public void start(Listener2 to) {
        listener = to;
        look();
    }

    @Override
    public void refresh() {
        look();
    }

    /** In the channel's synchronization context, as the calls above. */
    private void look() {
        if (looking || closed) {
            return;
        }
        looking = true;
        asking.execute(() -> {
            StatusOr<List<EquivalentAddressGroup>> answer = addresses();
            told.execute(() -> {
                looking = false;
                if (!closed) {
                    listener.onResult(ResolutionResult.newBuilder()
                            .setAddressesOrError(answer)
                            .build());
                }
            });
        });
    }

    private StatusOr<List<EquivalentAddressGroup>> addresses() {
        try {
            return StatusOr.fromValue(replicas(targets, lookup).stream()
                    .map(HostAndPort::fromString)
                    .map(replica ->
                            new EquivalentAddressGroup(new InetSocketAddress(replica.getHost(), replica.getPort())))
                    .toList());
        } catch (UnknownHostException e) {
            return StatusOr.fromStatus(
                    Status.UNAVAILABLE.withDescription(e.getMessage()).withCause(e));
        }
    }

    @Override
    public void shutdown() {
        closed = true;
    }

    /** Makes them. */
    private static final class Provider extends NameResolverProvider {
        @Override
        protected boolean isAvailable() {
            return true;
        }

        @Override
        protected int priority() {
            return 5;
        }

        @Override
        public String getDefaultScheme() {
            return SCHEME;
        }

        @Override
        public Collection<Class<? extends SocketAddress>> getProducedSocketAddressTypes() {
            return Set.of(InetSocketAddress.class);
        }

        @Override
        public NameResolver newNameResolver(URI target, Args args) {
            return new ReplicaResolver(target.getPath().substring(1), InetAddress::getAllByName, args);
        }
    }
}
