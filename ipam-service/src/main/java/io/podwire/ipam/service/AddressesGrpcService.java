package io.podwire.ipam.service;

import io.grpc.MethodDescriptor;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.service.Answers;
import io.podwire.ipam.binding.AddressEntry;
import io.podwire.ipam.binding.AddressList;
import io.podwire.ipam.binding.AddressQuery;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.binding.NodeReport;
import io.podwire.ipam.binding.Places;
import io.podwire.ipam.binding.SingleReport;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressRules;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.core.Workload;
import io.podwire.proto.ipam.v1.Address;
import io.podwire.proto.ipam.v1.AddressesGrpc;
import io.podwire.proto.ipam.v1.AllocateAddressesRequest;
import io.podwire.proto.ipam.v1.AllocateAddressesResponse;
import io.podwire.proto.ipam.v1.GetAddressRequest;
import io.podwire.proto.ipam.v1.ListAddressesRequest;
import io.podwire.proto.ipam.v1.ListAddressesResponse;
import io.podwire.proto.ipam.v1.ReleaseAddressesRequest;
import io.podwire.proto.ipam.v1.ReleaseAddressesResponse;
import io.podwire.proto.ipam.v1.ReserveAddressesRequest;
import io.podwire.proto.ipam.v1.ReserveAddressesResponse;
import io.podwire.proto.ipam.v1.UnreserveAddressesRequest;
import io.podwire.proto.ipam.v1.UnreserveAddressesResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** podwire.ipam.v1.Addresses. */
public final class AddressesGrpcService extends AddressesGrpc.AddressesImplBase {
    /** The methods that do not wait where the store does not. */
    public static final List<MethodDescriptor<?, ?>> BEGUN =
            List.of(AddressesGrpc.getAllocateAddressesMethod(), AddressesGrpc.getReleaseAddressesMethod());

    private static final int LARGEST_PAGE = 10_000;
    /** gRPC's clients take 4 MiB in one message where they are not told otherwise. */
    private static final int LARGEST_ANSWER_BYTES = 3 << 20;

    private final AddressFlow addresses;
    private final BindingTable bindings;
    private final TimeSource time;
    private final Timer lists;
    private final Timer allocations;

    /** The service over the ledger and the bindings. */
    public AddressesGrpcService(AddressFlow addresses, BindingTable bindings, TimeSource time, MeterRegistry meters) {
        this.addresses = addresses;
        this.bindings = bindings;
        this.time = time;
        this.lists = Timer.builder("podwire.ipam.list.addresses")
                .description("Time of ListAddresses calls, a page each")
                .register(meters);
        this.allocations = Timer.builder("podwire.ipam.allocate")
                .description("Time of AllocateAddresses calls that succeeded, retries in the store included")
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
        Ledger ledger = addresses.read().ledger();
        Places places = new Places(ledger);
        Duration now = time.monotonic();
        List<AddressEntry> entries = AddressList.first(reports(request, ledger, now), places, query, after, limit + 1);
        ListAddressesResponse.Builder response = ListAddressesResponse.newBuilder();
        int bytes = 0;
        for (AddressEntry entry : entries) {
            int count = response.getAddressesCount();
            if (count == limit || bytes > LARGEST_ANSWER_BYTES) {
                response.setNextPageToken(
                        BindingMapping.token(entries.get(count - 1).place()));
                break;
            }
            Address message = BindingMapping.toProto(entry, ledger, places, now);
            bytes += message.getSerializedSize();
            response.addAddresses(message);
        }
        return response.build();
    }

    /** What nodes have reported, and single addresses that none of them has. */
    private List<NodeReport> reports(ListAddressesRequest request, Ledger ledger, Duration now) {
        String owner = request.getOwnerId();
        String node = request.getNode();
        List<NodeReport> reports = bindings.snapshot();
        Map<String, NodeReport> byNode = owner.isEmpty()
                        && !node.equals(AddressRules.SERVICE.node().value())
                ? reports.stream()
                        .collect(Collectors.toMap(report -> report.node().value(), Function.identity()))
                : Map.of();
        NodeReport singles = SingleReport.of(
                ledger,
                single -> (owner.isEmpty() || of(single, AddressOwner::id).equals(owner))
                        && (node.isEmpty()
                                || node.equals(AddressRules.SERVICE.node().value())
                                || of(single, AddressOwner::node).equals(node))
                        && !SingleReport.isReported(single, byNode),
                now);
        return owner.isEmpty()
                ? Stream.concat(reports.stream(), Stream.of(singles)).toList()
                : List.of(singles);
    }

    private static String of(SingleAddress single, Function<AddressOwner, String> part) {
        return single.use().user().map(part).orElse("");
    }

    @Override
    public void getAddress(GetAddressRequest request, StreamObserver<Address> answer) {
        if (request.getAddress().isEmpty()) {
            throw BindingMapping.invalid("address: not set");
        }
        List<Address> found = page(ListAddressesRequest.newBuilder()
                        .setAddress(request.getAddress())
                        .build())
                .getAddressesList();
        if (found.isEmpty()) {
            throw new ServiceException(
                    ErrorReason.NOT_FOUND,
                    "address " + request.getAddress() + " is in no pool, and no node has reported it");
        }
        answer.onNext(found.getFirst());
        answer.onCompleted();
    }

    @Override
    public void allocateAddresses(AllocateAddressesRequest request, StreamObserver<AllocateAddressesResponse> answer) {
        Timer.Sample sample = Timer.start();
        Answers.when(
                addresses
                        .beginAllocate(
                                AddressMapping.owner(request.getOwner()),
                                AddressMapping.wishes(request.getWishesList()),
                                request.hasWorkload()
                                        ? Optional.of(AddressMapping.workload(request.getWorkload()))
                                        : Optional.empty())
                        .whenComplete((_, failure) -> {
                            if (failure == null) {
                                sample.stop(allocations);
                            }
                        }),
                answer,
                given -> AllocateAddressesResponse.newBuilder()
                        .addAllAddresses(messages(given))
                        .build());
    }

    private List<Address> messages(List<SingleAddress> singles) {
        Ledger ledger = addresses.known();
        return singles.stream()
                .map(single -> AddressMapping.toProto(
                        single,
                        ledger.pool(single.pool())
                                .map(Pool::blockLength)
                                .orElse(single.address().family().bits())))
                .toList();
    }

    @Override
    public void releaseAddresses(ReleaseAddressesRequest request, StreamObserver<ReleaseAddressesResponse> answer) {
        if (request.getOwnerId().isEmpty()) {
            throw BindingMapping.invalid("owner_id: not set; addresses are released by their owner");
        }
        Answers.when(
                addresses.beginRelease(request.getOwnerId(), AddressMapping.addresses(request.getAddressesList())),
                answer,
                _ -> ReleaseAddressesResponse.getDefaultInstance());
    }

    @Override
    public void reserveAddresses(ReserveAddressesRequest request, StreamObserver<ReserveAddressesResponse> answer) {
        List<Workload> replicas = AddressMapping.replicas(request.getFirst(), request.getCount());
        addresses.reserve(replicas, AddressMapping.anyOf(request.getWishesList()));
        Ledger ledger = addresses.known();
        answer.onNext(ReserveAddressesResponse.newBuilder()
                .addAllAddresses(messages(replicas.stream()
                        .flatMap(replica -> ledger.addressesFor(replica).stream())
                        .toList()))
                .build());
        answer.onCompleted();
    }

    @Override
    public void unreserveAddresses(
            UnreserveAddressesRequest request, StreamObserver<UnreserveAddressesResponse> answer) {
        addresses.unreserve(AddressMapping.replicas(request.getFirst(), request.getCount()));
        answer.onNext(UnreserveAddressesResponse.getDefaultInstance());
        answer.onCompleted();
    }
}
