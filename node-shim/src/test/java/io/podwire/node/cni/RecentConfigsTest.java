package io.podwire.node.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.podwire.node.cni.request.RequestArgs;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RecentConfigsTest {
    private final RecentConfigs configs = new RecentConfigs();

    private static ByteString config(String more) {
        return ByteString.copyFromUtf8("{\"cniVersion\":\"1.0.0\",\"name\":\"podwire\"" + more + "}");
    }

    @Test
    void theSameBytesAreReadOnce() throws CniException {
        NetworkConfig first = configs.parse(config(""));
        assertThat(configs.parse(config(""))).as("the same bytes").isSameAs(first);
        NetworkConfig other = configs.parse(config(",\"mtu\":1300"));
        assertThat(other).as("other bytes").isNotSameAs(first);
        assertThat(other.request(args("", "")).mtu()).as("what they ask for").hasValue(1300);
        assertThat(configs.parse(config(""))).as("the first again").isSameAs(first);
    }

    @Test
    void aResultOfBeforeIsNotKept() throws CniException {
        ByteString one = config(",\"prevResult\":{\"cniVersion\":\"1.0.0\"}");
        assertThat(configs.parse(one)).isNotSameAs(configs.parse(one));
    }

    @Test
    void fewAreKeptAndNoneThatIsLong() throws CniException {
        NetworkConfig first = configs.parse(config(""));
        for (int i = 0; i < RecentConfigs.KEPT; i++) {
            configs.parse(config(",\"i\":" + i));
        }
        assertThat(configs.parse(config(""))).as("after others").isNotSameAs(first);
        ByteString longOne = config(",\"long\":\"" + "x".repeat(RecentConfigs.LONGEST) + "\"");
        assertThat(configs.parse(longOne)).as("a long one").isNotSameAs(configs.parse(longOne));
    }

    @Test
    void whatIsWrongFailsEachTime() {
        for (int i = 0; i < 2; i++) {
            assertThatThrownBy(() -> configs.parse(ByteString.copyFromUtf8("{")))
                    .as("call %d", i)
                    .isInstanceOf(CniException.class);
        }
    }

    @Test
    void otherArgumentsAreAnotherRequest() throws CniException {
        NetworkConfig config = configs.parse(config(""));
        assertThat(config.request(args("10.1.0.5", "")).addresses())
                .as("with IP")
                .hasSize(1);
        assertThat(config.request(args("", "")).addresses()).as("without").isEmpty();
        assertThat(config.request(args("", "02:00:00:00:00:05")).mac())
                .as("with MAC")
                .isPresent();
        assertThatThrownBy(() -> config.request(args("nonsense", "")))
                .as("with an IP that is none")
                .isInstanceOf(CniException.class);
        assertThat(config.request(args("", "")).mac())
                .as("without, after an error")
                .isEmpty();
    }

    private static RequestArgs args(String ip, String mac) {
        return RequestArgs.of("eth0", Map.of("IP", ip, "MAC", mac));
    }
}
