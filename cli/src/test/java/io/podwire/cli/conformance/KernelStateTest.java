package io.podwire.cli.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class KernelStateTest {
    @Test
    void residueIsWhatIsNewAndNamesTheAttachmentOrIsADeviceOrRule() {
        KernelState before = state("link br bridge", "route 10.1.0.0/24 via  dev br");
        KernelState now = state(
                "link br bridge",
                "link veth1 veth",
                "route 10.1.0.0/24 via  dev br",
                "route 10.1.0.5/32 via  dev br",
                "route 10.9.0.0/24 via 10.1.0.9 dev br",
                "rule nft ip nat: chain x { accept");
        assertThat(now.residue(before, List.of("10.1.0.5"), true))
                .containsExactly(
                        "link veth1 veth", "route 10.1.0.5/32 via  dev br", "rule nft ip nat: chain x { accept");
        assertThat(now.residue(before, List.of("10.1.0.5"), false))
                .as("where others make devices and rules too")
                .containsExactly("route 10.1.0.5/32 via  dev br");
        assertThat(before.residue(now, List.of("br"), true)).as("what is gone").isEmpty();
    }

    @Test
    void anAddressIsNotFoundInALongerOne() {
        KernelState now = state("route 10.1.0.51/32 via  dev br", "neighbour fd00::51 is x", "route 110.1.0.5/32");
        assertThat(now.residue(KernelState.EMPTY, List.of("10.1.0.5", "fd00::5", "d00::51"), false))
                .isEmpty();
        assertThat(now.residue(KernelState.EMPTY, List.of("fd00::51"), false)).hasSize(1);
    }

    @Test
    void aLineThatIsThereTwiceCountsTwice() {
        assertThat(state("a", "a").minus(state("a"))).containsExactly("a");
    }

    @Test
    void changedTablesAreNewOrHaveAnotherText() {
        SortedMap<String, String> before = new TreeMap<>();
        before.put("ip nat", "a");
        before.put("ip filter", "b");
        SortedMap<String, String> now = new TreeMap<>(before);
        now.put("ip nat", "changed");
        now.put("inet new", "c");
        assertThat(tables(now).changedTables(tables(before)).keySet()).containsExactly("inet new", "ip nat");
    }

    private static KernelState state(String... lines) {
        return new KernelState(List.of(), List.of(), List.of(lines), new TreeMap<>());
    }

    private static KernelState tables(SortedMap<String, String> tables) {
        return new KernelState(List.of(), List.of(), List.of(), tables);
    }
}
