package io.podwire.ipam.service;

import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.ipam.binding.AddressEntry;
import io.podwire.ipam.binding.AddressList;
import io.podwire.ipam.binding.AddressQuery;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.binding.Places;
import io.podwire.proto.ipam.v1.Address;
import io.podwire.proto.ipam.v1.AddressesGrpc;
import io.podwire.proto.ipam.v1.ListAddressesRequest;
import io.podwire.proto.ipam.v1.ListAddressesResponse;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** podwire.ipam.v1.Addresses. */
public final class AddressesGrpcService extends AddressesGrpc.AddressesImplBase {
    private static final int LARGEST_PAGE = 10_000;
    /** gRPC's clients take 4 MiB in one message where they are not told otherwise. */
    private static final int LARGEST_ANSWER_BYTES = 3 << 20;

    private final BlockFlow blocks;
    private final BindingTable bindings;
    private final TimeSource time;
    private final Timer lists;

    /** The service over the ledger and the bindings. */
    public AddressesGrpcService(BlockFlow blocks, BindingTable bindings, TimeSource time, MeterRegistry meters) {
        this.blocks = blocks;
        this.bindings = bindings;
        this.time = time;
        this.lists = Timer.builder("podwire.ipam.list.addresses")
                .description("Time of ListAddresses calls, a page each")
                .register(meters);
    }

    @Override
    public void listAddresses(ListAddressesRequest request, StreamObserver<ListAddressesResponse> answer) {
        Timer.Sample sample = Timer.start();
        ListAddressesResponse page = page(request);
        sample.stop(lists);
        answer.onNext(page);
        answer.onCompleted();
    }

    private ListAddressesResponse page(ListAddressesRequest request) {
        if (request.getPageSize() < 0 || request.getPageSize() > LARGEST_PAGE) {
            throw new ServiceException(
                    ErrorReason.INVALID_ARGUMENT,
                    "page_size must be 0 to " + LARGEST_PAGE + ", got " + request.getPageSize());
        }
        int limit = request.getPageSize() == 0 ? LARGEST_PAGE : request.getPageSize();
        AddressQuery query = BindingMapping.query(request);
        Optional<AddressEntry.Place> after = BindingMapping.after(request.getPageToken());
        Places places = new Places(blocks.ledger());
        List<AddressEntry> entries = AddressList.first(bindings.snapshot(), places, query, after, limit + 1);
        Duration now = time.monotonic();
        ListAddressesResponse.Builder response = ListAddressesResponse.newBuilder();
        int bytes = 0;
        for (AddressEntry entry : entries) {
            int count = response.getAddressesCount();
            if (count == limit || bytes > LARGEST_ANSWER_BYTES) {
                response.setNextPageToken(
                        BindingMapping.token(entries.get(count - 1).place()));
                break;
            }
            Address message = BindingMapping.toProto(entry, places, now);
            bytes += message.getSerializedSize();
            response.addAddresses(message);
        }
        return response.build();
    }
}
