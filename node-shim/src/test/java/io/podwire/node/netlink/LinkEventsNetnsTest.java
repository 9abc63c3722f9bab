package io.podwire.node.netlink;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.node.netlink.rt.LinkCodec;
import io.podwire.node.netlink.rt.NewLink;
import io.podwire.node.netlink.rt.NewLinkKind;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What {@link LinkEvents} hears from a real kernel. */
@Tag("netns")
@Timeout(60)
class LinkEventsNetnsTest {
    private final NetnsSandbox sandbox = new NetnsSandbox();
    private Space host;
    private Space pod;
    private Rtnetlink netlink;
    private LinkEvents events;

    @BeforeEach
    void open() {
        host = sandbox.add();
        pod = sandbox.add();
        netlink = Rtnetlink.open(host.netns());
        events = LinkEvents.open(host.netns());
    }

    @AfterEach
    void close() {
        events.close();
        netlink.close();
        sandbox.close();
    }

    private int veth(String name) {
        return netlink.addLink(new NewLink(
                name,
                new NewLinkKind.Veth(
                        "eth-" + name,
                        Optional.empty(),
                        OptionalInt.empty(),
                        pod.netns().fd()),
                Optional.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                true,
                Optional.empty()));
    }

    @Test
    void aLinkThatIsSaidToBeGoneIsInNoTable() throws Exception {
        int index = veth("a");
        CompletableFuture<Void> gone = events.gone(index);
        CompletableFuture<Boolean> deleted = CompletableFuture.supplyAsync(() -> netlink.deleteLink(index));
        gone.get(10, TimeUnit.SECONDS);
        try (Rtnetlink other = Rtnetlink.open(host.netns());
                Rtnetlink inside = Rtnetlink.open(pod.netns())) {
            assertThat(other.link(index)).isEmpty();
            assertThat(other.link("a")).isEmpty();
            assertThat(inside.link("eth-a")).as("the other end").isEmpty();
        }
        assertThat(deleted.join()).isTrue();
    }

    @Test
    void onlyTheLinkAskedForCompletesItsFuture() throws Exception {
        List<Integer> links =
                IntStream.range(0, 5).map(i -> veth("v" + i)).boxed().toList();
        List<CompletableFuture<Void>> gone = links.stream().map(events::gone).toList();
        netlink.deleteLink(links.get(3));
        gone.get(3).get(10, TimeUnit.SECONDS);
        assertThat(gone.stream().filter(CompletableFuture::isDone)).hasSize(1);
    }

    @Test
    void aPortThatLeavesItsBridgeIsNotGone() throws Exception {
        int bridge = netlink.addLink(new NewLink(
                "br",
                new NewLinkKind.Bridge(),
                Optional.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                true,
                Optional.empty()));
        int port = veth("p");
        int later = veth("later");
        netlink.setMaster(port, bridge);
        CompletableFuture<Void> gone = events.gone(port);
        netlink.setMaster(port, 0);
        CompletableFuture<Void> after = events.gone(later);
        netlink.deleteLink(later);
        after.get(10, TimeUnit.SECONDS);
        assertThat(gone).as("an RTM_DELLINK of family AF_BRIDGE came before").isNotDone();
    }

    @Test
    void theKernelKeepsOtherMessagesToItself() throws Exception {
        List<Integer> types = new CopyOnWriteArrayList<>();
        CompletableFuture<Void> heard = new CompletableFuture<>();
        EventReader.Calls deletions =
                EventReader.only(LinkCodec.DELETE, EventReader.join(host.netns(), NetlinkSocket.NETLINK_ROUTE, 1));
        EventReader reader = EventReader.start("deletions", deletions, new EventReader.Handler() {
            @Override
            public void message(NlMessage message) {
                types.add(message.type());
                heard.complete(null);
            }

            @Override
            public void lost() {
                heard.completeExceptionally(new AssertionError("lost"));
            }
        });
        int index = veth("a");
        netlink.setMtu(index, 1400);
        netlink.deleteLink(index);
        heard.get(10, TimeUnit.SECONDS);
        reader.close();
        assertThat(types).as("of making, changing and deleting a link").containsOnly(LinkCodec.DELETE);
    }
}
