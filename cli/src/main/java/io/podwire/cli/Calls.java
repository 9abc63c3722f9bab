package io.podwire.cli;

import com.google.protobuf.Message;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.common.service.ListenAddress;
import io.podwire.common.service.UnixSockets;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** One gRPC call of a command: channel, deadline, pages, and what a failure reads like. */
public final class Calls {
    private static final int DEADLINE_SECONDS = 5;

    private Calls() {}

    /**
     * A plaintext channel; the caller shuts it down.
     *
     * @param option named in the error
     * @param target HOST:PORT or unix:/path
     * @throws CommandFailure when the target is neither
     */
    public static ManagedChannel open(String option, String target) {
        ListenAddress address;
        try {
            address = ListenAddress.parse(option, target);
        } catch (IllegalArgumentException e) {
            throw new CommandFailure(e.getMessage(), e);
        }
        return switch (address) {
            case ListenAddress.Unix(var path) -> UnixSockets.channel(path);
            case ListenAddress.Tcp(String host, int port) ->
                NettyChannelBuilder.forAddress(host, port).usePlaintext().build();
        };
    }

    /**
     * Opens a channel, makes one call (with a deadline of 5 s where the call takes none) and closes it.
     *
     * @param attempted what the call is for, first words of a failure's message
     * @throws CommandFailure when the call fails, with what the server said and what helps
     */
    static <T> T call(String option, String target, String attempted, Function<ManagedChannel, T> call) {
        ManagedChannel channel = open(option, target);
        try {
            return call.apply(channel);
        } catch (StatusRuntimeException e) {
            ServiceException failure = GrpcErrors.fromGrpc(attempted + " from " + target, e);
            String help = failure.reason() == ErrorReason.UNAVAILABLE
                    ? ". Is it running there? " + option + " names another address"
                    : "";
            throw new CommandFailure(failure.getMessage() + help, e);
        } finally {
            channel.shutdownNow();
        }
    }

    /** A stub whose next call has the commands' deadline. */
    static <S extends io.grpc.stub.AbstractStub<S>> S soon(S stub) {
        return stub.withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS);
    }

    /**
     * Every page of a list as one message, whose page token is empty.
     *
     * @param page asks for the page of a token, the first one's being empty
     * @param next the next page's token
     */
    static <R extends Message> R pages(Function<String, R> page, Function<R, String> next) {
        R all = page.apply("");
        String token = next.apply(all);
        while (!token.isEmpty()) {
            R more = page.apply(token);
            token = next.apply(more);
            Message.Builder merged = all.toBuilder().mergeFrom(more);
            if (token.isEmpty()) {
                merged.clearField(merged.getDescriptorForType().findFieldByName("next_page_token"));
            }
            @SuppressWarnings("unchecked") // A builder of R builds an R.
            R whole = (R) merged.build();
            all = whole;
        }
        return all;
    }
}
