package io.podwire.cli;

import com.google.common.base.Ascii;
import io.podwire.proto.ipam.v1.Address;
import io.podwire.proto.ipam.v1.AddressState;
import io.podwire.proto.ipam.v1.AddressesGrpc;
import io.podwire.proto.ipam.v1.ListAddressesRequest;
import io.podwire.proto.ipam.v1.ListAddressesResponse;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code podwire addresses}. */
@Command(
        name = "addresses",
        description = "Who has which address, cluster-wide, as nodes report it to ipam-service."
                + " podwire addresses 10.1.0.7 says who has that one.")
final class AddressesCommand implements Callable<Integer> {
    /** As the API's, without the one that stands for no state. */
    enum State {
        IN_USE,
        COOLING,
        RESERVED,
        FREE,
        UNKNOWN
    }

    @Parameters(
            arity = "0..1",
            paramLabel = "ADDRESS",
            defaultValue = "",
            description = "Only this address, whatever its state.")
    private String address;

    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_IPAM_SERVER:-127.0.0.1:7471}",
            description = "ipam-service's address. Default: ${DEFAULT-VALUE}")
    private String server;

    @Option(names = "--pool", paramLabel = "NAME", defaultValue = "", description = "Only addresses of this pool.")
    private String pool;

    @Option(names = "--node", paramLabel = "NAME", defaultValue = "", description = "Only what this node has.")
    private String node;

    @Option(
            names = "--namespace",
            paramLabel = "NAME",
            defaultValue = "",
            description = "Only addresses of pods and Services of this namespace.")
    private String namespace;

    @Option(
            names = "--pod",
            paramLabel = "NAMESPACE/NAME",
            defaultValue = "",
            description = "Only addresses of this pod.")
    private String pod;

    @Option(names = "--prefix", paramLabel = "CIDR", defaultValue = "", description = "Only addresses in this prefix.")
    private String prefix;

    @Option(
            names = "--state",
            paramLabel = "STATE",
            split = ",",
            description = "Only addresses in one of these states: ${COMPLETION-CANDIDATES}. Default: in_use,cooling; of"
                    + " one ADDRESS any. Of a block or a reserved range the first 4096 are listed as free or reserved.")
    private List<State> states = new ArrayList<>();

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        ListAddressesRequest.Builder request = ListAddressesRequest.newBuilder()
                .setAddress(address)
                .setPool(pool)
                .setNode(node)
                .setNamespace(namespace)
                .setPod(pod)
                .setPrefix(prefix);
        states.forEach(state -> request.addStates(AddressState.valueOf("ADDRESS_STATE_" + state.name())));
        ListAddressesResponse answer = Calls.call(
                "--server",
                server,
                "listing addresses",
                channel -> Calls.pages(
                        token -> Calls.soon(AddressesGrpc.newBlockingStub(channel))
                                .listAddresses(request.setPageToken(token).build()),
                        ListAddressesResponse::getNextPageToken));
        Table table = new Table("ADDRESS", "STATE", "HOLDER", "NODE", "POOL", "BLOCK", "SINCE", "REPORT");
        answer.getAddressesList()
                .forEach(a -> table.row(
                        a.getAddress(),
                        state(a),
                        holder(a),
                        a.getNode(),
                        a.getPool(),
                        a.getBlock(),
                        since(a),
                        report(a)));
        output.print(answer, table);
        if (!address.isEmpty() && answer.getAddressesCount() == 0) {
            throw new CommandFailure(
                    address + " is in no pool, and no node that reports to " + server + " has it, as far as asked for");
        }
        return 0;
    }

    private static String state(Address entry) {
        String name = Ascii.toLowerCase(entry.getState().name().replace("ADDRESS_STATE_", ""));
        return entry.getOutsideOwnBlock() ? name + ", not of a block of its node" : name;
    }

    private static String holder(Address entry) {
        if (entry.hasService()) {
            return "service " + entry.getService().getNamespace() + "/"
                    + entry.getService().getName();
        }
        boolean named = !entry.getPod().getNamespace().isEmpty()
                || !entry.getPod().getName().isEmpty();
        String id = entry.getContainerId();
        return named
                ? entry.getPod().getNamespace() + "/" + entry.getPod().getName()
                : id.isEmpty() ? "" : "container " + id.substring(0, Math.min(12, id.length()));
    }

    private static String since(Address entry) {
        return entry.hasSince()
                ? Instant.ofEpochSecond(entry.getSince().getSeconds()).toString()
                : "";
    }

    private static String report(Address entry) {
        if (!entry.hasReported()) {
            return entry.getState() == AddressState.ADDRESS_STATE_UNKNOWN ? "none" : "";
        }
        long age = entry.getReported().getAge().getSeconds();
        return entry.getReported().getConnected() ? "now" : age + " s old, node is away";
    }
}
