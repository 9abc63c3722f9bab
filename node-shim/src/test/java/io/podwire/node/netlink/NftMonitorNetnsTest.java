package io.podwire.node.netlink;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.node.ffm.LibNftables;
import io.podwire.node.netlink.NftEvent.Lost;
import io.podwire.node.netlink.NftEvent.TableChanged;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What {@link NftMonitor} hears of this process's transactions and of nft(8)'s. */
@Tag("netns")
@Timeout(60)
class NftMonitorNetnsTest {
    private final NetnsSandbox sandbox = new NetnsSandbox();
    private final Heard<NftEvent> heard = new Heard<>();
    private Space host;
    private LibNftables own;

    @BeforeEach
    void open() throws Exception {
        host = sandbox.add();
        own = NetnsThread.call(host.netns(), LibNftables::open);
    }

    @AfterEach
    void removeSandbox() {
        heard.release();
        own.close();
        sandbox.close();
    }

    private void run(String commands) {
        LibNftables.Result result = own.run(commands, 0);
        assertThat(result.code()).as("%s: %s", commands, result.error()).isZero();
    }

    private TableChanged next() throws InterruptedException {
        return (TableChanged)
                heard.until("a change", TableChanged.class::isInstance).getLast();
    }

    @Test
    void everyKindOfChangeNamesItsTable() throws Exception {
        run("add table inet pw; add chain inet pw c; add set inet pw s { type ipv4_addr; }; add counter inet pw n");
        try (NftMonitor _ = NftMonitor.open(host.netns(), heard)) {
            for (String commands : List.of(
                    "add table inet pw { comment \"x\"; }",
                    "add chain inet pw d",
                    "add rule inet pw c counter",
                    "flush chain inet pw c",
                    "add element inet pw s { 10.0.0.1 }",
                    "delete element inet pw s { 10.0.0.1 }",
                    "add set inet pw t { type ipv4_addr; }",
                    "delete set inet pw t",
                    "add map inet pw v { type ipv4_addr : verdict; }",
                    "delete counter inet pw n",
                    "delete chain inet pw d",
                    "delete table inet pw")) {
                run(commands);
                if (commands.startsWith("add table")) {
                    continue; // there is one, and nothing of it changes
                }
                TableChanged event = next();
                assertThat(event.family()).as("family, by %s", commands).isEqualTo("inet");
                assertThat(event.table()).as("table, by %s", commands).isEqualTo("pw");
                assertThat(event.ours()).as("ours, by %s", commands).isTrue();
            }
        }
        assertThat(heard.rest()).as("anything else").isEmpty();
    }

    @Test
    void othersChangesAreOthers() throws Exception {
        run("add table inet pw");
        try (NftMonitor _ = NftMonitor.open(host.netns(), heard)) {
            host.run("nft", "add", "table", "ip6", "theirs");
            TableChanged theirs = next();
            assertThat(theirs.family()).as("family").isEqualTo("ip6");
            assertThat(theirs.table()).as("table").isEqualTo("theirs");
            assertThat(theirs.ours()).as("ours").isFalse();
            assertThat(theirs.process()).as("process").startsWith("nft (");
            run("add chain inet pw c");
            assertThat(next().ours()).as("ours again").isTrue();
            host.run("nft", "flush", "ruleset");
            List<NftEvent> flushed = heard.until(
                    "the other table",
                    event -> event instanceof TableChanged change
                            && change.table().equals("theirs"));
            assertThat(flushed)
                    .as("a flush of everything")
                    .hasSize(2)
                    .allMatch(event -> event instanceof TableChanged change && !change.ours());
        }
    }

    @Test
    void aSocketOpenedLaterIsOursToo() throws Exception {
        try (NftMonitor _ = NftMonitor.open(host.netns(), heard)) {
            run("add table inet pw");
            assertThat(next().ours()).as("by the first").isTrue();
            try (LibNftables second = NetnsThread.call(host.netns(), LibNftables::open)) {
                second.run("add table inet pw2", 0);
                assertThat(next())
                        .as("by the second")
                        .matches(TableChanged::ours)
                        .matches(e -> e.table().equals("pw2"));
            }
        }
    }

    @Test
    void aTransactionIsOneEventForEachTable() throws Exception {
        run("add table inet pw; add set inet pw s { type ipv4_addr; }; add table bridge pw");
        String elements = IntStream.range(0, 5000)
                .mapToObj(i -> "10.0." + i / 250 + "." + i % 250)
                .collect(Collectors.joining(", ", "{ ", " }"));
        try (NftMonitor _ = NftMonitor.open(host.netns(), heard)) {
            run("add element inet pw s " + elements + "; add chain bridge pw c; add chain inet pw c");
            assertThat(next()).as("first").matches(e -> e.family().equals("inet"));
            assertThat(next()).as("second").matches(e -> e.family().equals("bridge"));
            run("add chain inet pw d");
            next();
        }
        assertThat(heard.rest()).as("anything else").isEmpty();
    }

    @Test
    void anOverrunIsOneLossAndThenAllIsToldAgain() throws Exception {
        run("add table inet pw; add set inet pw s { type ipv4_addr; }");
        heard.hold();
        try (NftMonitor _ = NftMonitor.open(host.netns(), 16 << 10, heard)) {
            run("add element inet pw s { 10.0.0.1 }");
            heard.awaitHeld();
            for (int i = 0; i < 200; i++) {
                run("add element inet pw s { 10.1.0." + i + " }");
            }
            heard.release();
            assertThat(heard.until(new Lost())).as("until the loss").hasSize(2);
            run("add chain inet pw c");
            assertThat(next().ours()).as("afterwards").isTrue();
        }
        assertThat(heard.rest()).as("anything else").isEmpty();
    }

    @Test
    void afterCloseNothingIsHeard() {
        NftMonitor monitor = NftMonitor.open(host.netns(), heard);
        monitor.close();
        monitor.close();
        run("add table inet pw");
        assertThat(heard.rest()).as("heard").isEmpty();
    }
}
