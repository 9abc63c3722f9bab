package io.podwire.node.netlink;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.node.netlink.NftEvent.TableChanged;
import io.podwire.node.netlink.wire.NlMessage;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which tables a transaction names, and whose it is. */
class NftTransactionsTest {
    private static final String PORT = "c91e0000"; // 7881
    private final NftTransactions transactions = new NftTransactions(port -> port == 7881);

    @Test
    void tablesAreToldAtTheEndOfTheirTransaction() {
        assertThat(read(0x0a00, PORT, "01 00 0001 0700 0100 707700 00"))
                .as("NEWTABLE inet pw")
                .isEmpty();
        assertThat(read(0x0a0c, PORT, "01 00 0001 0700 0100 707700 00"))
                .as("NEWSETELEM in it")
                .isEmpty();
        assertThat(read(0x0a08, PORT, "07 00 0001 0600 0100 6200 0000 0600 0200 6300 0000"))
                .as("DELRULE of bridge b")
                .isEmpty();
        // generation 2, process 256, named "nft"
        String end = "00 00 0002 0800 0100 00000002 0800 0200 00000100 0800 0300 6e667400";
        assertThat(read(0x0a0f, PORT, end))
                .as("NEWGEN")
                .containsExactly(
                        new TableChanged("inet", "pw", true, "nft (256)"),
                        new TableChanged("bridge", "b", true, "nft (256)"));
        assertThat(read(0x0a0f, PORT, end)).as("an empty transaction").isEmpty();
    }

    @Test
    void thePortSaysWhoseItIsAndNotTheProcessNumber() {
        read(0x0a00, "05000000", "02 00 0001 0700 0100 707700 00");
        assertThat(read(0x0a0f, "05000000", "00 00 0002 0800 0200 00001ec9 0800 0300 6e667400"))
                .as("our number, another port")
                .containsExactly(new TableChanged("ip", "pw", false, "nft (7881)"));
    }

    @Test
    void whatWasGatheredBeforeALossIsForgotten() {
        read(0x0a00, PORT, "01 00 0001 0700 0100 707700 00");
        transactions.forget();
        assertThat(read(0x0a0f, PORT, "00 00 0002 0800 0100 00000002"))
                .as("the end")
                .isEmpty();
    }

    @Test
    void otherSubsystemsAreNotNftables() {
        read(0x0100, PORT, "02 00 0000 0700 0100 707700 00"); // ctnetlink
        assertThat(read(0x0a0f, PORT, "00 00 0002 0800 0100 00000002"))
                .as("the end")
                .isEmpty();
    }

    private List<NftEvent> read(int type, String port, String payload) {
        String body = payload.replace(" ", "");
        String header = "%02x000000%02x%02x0000".formatted(16 + body.length() / 2, type & 0xFF, type >>> 8);
        byte[] bytes = HexFormat.of().parseHex(header + "00000000" + port + body);
        return transactions.read(NlMessage.take(ByteBuffer.wrap(bytes)));
    }
}
