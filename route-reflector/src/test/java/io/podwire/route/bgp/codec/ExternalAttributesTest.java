package io.podwire.route.bgp.codec;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.route.bgp.message.AsPath;
import io.podwire.route.bgp.message.BgpMessage.Reach;
import io.podwire.route.bgp.message.BgpMessage.Update;
import io.podwire.route.bgp.message.PathAttribute;
import io.podwire.route.bgp.message.PathAttributes;
import io.podwire.route.bgp.message.SessionFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExternalAttributesTest {
    /** RFC 7606 §7.5, 7.9, 7.10. */
    @Test
    void whatBelongsToOneAsIsDroppedFromAnother() throws Exception {
        PathAttributes attributes = PathAttributes.of(
                new PathAttribute.Origin(PathAttribute.OriginKind.IGP),
                new PathAttribute.Path(AsPath.of(64513L)),
                new PathAttribute.LocalPref(7),
                new PathAttribute.OriginatorId(IpAddress.parse("192.0.2.7")),
                new PathAttribute.ClusterList(List.of(IpAddress.parse("192.0.2.8"))));
        Update update = new Update(
                List.of(),
                attributes,
                List.of(new Reach(IpAddress.parse("10.0.0.1"), List.of(IpPrefix.parse("203.0.113.0/24")))));
        SessionFormat external = new SessionFormat(true, false);

        Decoded decoded = BgpDecoder.decode(BgpEncoder.encode(update, external), external);

        assertThat(decoded.errors()).extracting(AttributeError::type).containsExactly(5, 9, 10);
        assertThat(decoded.treatedAsWithdraw()).isFalse();
        assertThat(((Update) decoded.message()).attributes().list())
                .extracting(PathAttribute::type)
                .containsExactly(1, 2);
    }
}
