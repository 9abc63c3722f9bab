package io.podwire.node.netlink.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.MacAddress;
import io.podwire.common.testing.Seeds;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** What {@link NlWriter} writes is what {@link NlReader} reads, and nothing else passes. */
class NlRoundTripTest {
    private static final int TYPE = 16;

    /** A tree of attributes: a leaf has text, a branch has children. */
    private record Tree(int type, String text, List<Tree> children) {}

    @Test
    void anyTreeOfAttributesComesBack() {
        Seeds.forEach(NlRoundTripTest.class, 300, random -> {
            List<Tree> trees = trees(random, 3);
            ByteBuffer bytes = written(trees);
            assertThat(bytes.remaining() % 4).as("length of the message").isZero();
            NlMessage message = NlMessage.take(bytes);
            assertThat(bytes.hasRemaining()).as("bytes after the message").isFalse();
            assertThat(message.type()).as("type").isEqualTo(TYPE);
            assertThat(message.sequence()).as("sequence").isEqualTo(77);
            assertThat(message.i32(0)).as("fixed header").isEqualTo(0xCAFE);
            assertThat(read(message.attributes(4), 3)).as("attributes").isEqualTo(trees);
        });
    }

    @Test
    void brokenBytesGiveTheTypedErrorAndNoOther() {
        Seeds.forEach(NlRoundTripTest.class, 2000, random -> {
            ByteBuffer bytes = written(trees(random, 3));
            for (int i = 0; i < 3; i++) {
                bytes.put(random.nextInt(bytes.limit()), (byte) random.nextInt());
            }
            bytes.limit(random.nextInt(bytes.limit() + 1));
            try {
                while (bytes.hasRemaining()) {
                    read(NlMessage.take(bytes).attributes(4), 5);
                }
            } catch (NlFormatException e) {
                assertThat(e).as("the one exception").hasMessageMatching("(?s).*bytes.*");
            }
        });
    }

    @Test
    void everyTypeHasItsBytes() {
        ByteBuffer buffer = ByteBuffer.allocate(256);
        NlWriter out = new NlWriter(buffer);
        out.begin(TYPE, 5, 1);
        out.u8(1, 0xFE);
        out.flag(2, true);
        out.u16be(3, 4789);
        out.u32(4, -2);
        out.text(5, "éth0");
        out.mac(6, MacAddress.parse("02:00:00:00:00:05"));
        out.address(7, IpAddress.parse("10.1.0.5"));
        out.address(8, IpAddress.parse("fd00::5"));
        NlReader in = NlMessage.take(out.finish()).attributes(0);
        assertThat(next(in).u8()).as("u8").isEqualTo(0xFE);
        assertThat(next(in).flag()).as("flag").isTrue();
        assertThat(next(in).u16be()).as("u16").isEqualTo(4789);
        assertThat(next(in).i32()).as("u32").isEqualTo(-2);
        assertThat(next(in).text()).as("text").isEqualTo("éth0");
        assertThat(next(in).mac()).as("mac").isEqualTo(MacAddress.parse("02:00:00:00:00:05"));
        assertThat(next(in).address()).as("IPv4").isEqualTo(IpAddress.parse("10.1.0.5"));
        assertThat(next(in).address()).as("IPv6").isEqualTo(IpAddress.parse("fd00::5"));
        assertThat(in.next()).as("a ninth").isFalse();
    }

    @Test
    void oddLengthsAreRefusedWithTheAttributesPath() {
        ByteBuffer three = nativeBytes(28)
                .putInt(27)
                .putShort((short) TYPE)
                .putShort((short) 0)
                .putLong(0)
                .putShort((short) 11)
                .putShort((short) 18)
                .putShort((short) 7)
                .putShort((short) 4)
                .put((byte) 1)
                .put((byte) 2)
                .put((byte) 3)
                .put((byte) 0)
                .flip();
        NlReader outer = next(NlMessage.take(three).attributes(0));
        NlReader inner = next(outer.nested());
        assertThatThrownBy(inner::i32)
                .as("a u32 of 3 bytes")
                .isInstanceOf(NlFormatException.class)
                .hasMessage("message 16 > attribute 18 > attribute 4 has 3 bytes, a u32 4");
        assertThatThrownBy(inner::u8).as("a u8 of 3 bytes").isInstanceOf(NlFormatException.class);
        assertThatThrownBy(inner::u16be).as("a u16 of 3 bytes").isInstanceOf(NlFormatException.class);
        assertThatThrownBy(inner::mac).as("a MAC of 3 bytes").isInstanceOf(NlFormatException.class);
        assertThatThrownBy(inner::address).as("an address of 3 bytes").isInstanceOf(NlFormatException.class);
        assertThatThrownBy(() -> next(inner.nested()))
                .as("attributes in 3 bytes")
                .hasMessageContaining("an attribute header has 4 bytes, 3 are left");
    }

    @Test
    void lengthsThatLeaveTheMessageAreRefused() {
        for (int length : new int[] {0, 3, 9, 0xFFFF}) {
            ByteBuffer bytes = nativeBytes(24)
                    .putInt(24)
                    .putInt(TYPE)
                    .putLong(0)
                    .putShort((short) length)
                    .putShort((short) 3)
                    .putInt(0)
                    .flip();
            assertThatThrownBy(() -> NlMessage.take(bytes).attributes(0).next())
                    .as("attribute length %s", length)
                    .hasMessage("message 16 > attribute 3 says " + length + " bytes, 8 are left");
        }
        for (int length : new int[] {-1, 0, 15, 25, Integer.MAX_VALUE}) {
            ByteBuffer bytes = nativeBytes(24)
                    .putInt(length)
                    .putInt(TYPE)
                    .putLong(0)
                    .putLong(0)
                    .flip();
            assertThatThrownBy(() -> NlMessage.take(bytes))
                    .as("message length %s", length)
                    .isInstanceOf(NlFormatException.class);
        }
    }

    private static ByteBuffer nativeBytes(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.nativeOrder());
    }

    private static NlReader next(NlReader in) {
        assertThat(in.next()).as("one more attribute").isTrue();
        return in;
    }

    private static ByteBuffer written(List<Tree> trees) {
        NlWriter out = new NlWriter(ByteBuffer.allocate(60_000));
        out.begin(TYPE, 0x301, 77);
        out.put32(0xCAFE);
        trees.forEach(tree -> write(out, tree));
        return out.finish();
    }

    private static void write(NlWriter out, Tree tree) {
        if (tree.children().isEmpty()) {
            out.text(tree.type(), tree.text());
        } else {
            out.nested(tree.type(), inner -> tree.children().forEach(child -> write(inner, child)));
        }
    }

    /** Types below 100 are leaves. */
    private static List<Tree> read(NlReader in, int depth) {
        List<Tree> trees = new ArrayList<>();
        while (in.next()) {
            boolean leaf = in.type() < 100 || depth == 0;
            trees.add(new Tree(in.type(), leaf ? in.text() : "", leaf ? List.of() : read(in.nested(), depth - 1)));
        }
        return trees;
    }

    private static List<Tree> trees(RandomGenerator random, int depth) {
        List<Tree> trees = new ArrayList<>();
        int count = 1 + random.nextInt(4);
        for (int i = 0; i < count; i++) {
            boolean branch = depth > 0 && random.nextInt(3) == 0;
            trees.add(
                    branch
                            ? new Tree(100 + random.nextInt(50), "", trees(random, depth - 1))
                            : new Tree(1 + random.nextInt(99), "x".repeat(random.nextInt(9)), List.of()));
        }
        return trees;
    }
}
