package io.podwire.node.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.podwire.common.testing.Seeds;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

final class NetworkConfigTest {
    @ParameterizedTest
    @EnumSource(CniVersion.class)
    void everyVersionOfTheSpecificationIsSpoken(CniVersion version) throws CniException {
        assertThat(parse("{\"name\":\"n\",\"cniVersion\":\"%s\"}".formatted(version.text()))
                        .version())
                .isEqualTo(version);
    }

    @Test
    void noVersionIsTheFirstOne() throws CniException {
        assertThat(parse("{\"name\":\"n\"}").version()).isEqualTo(CniVersion.V0_1_0);
        assertThat(parse("{\"name\":\"n\",\"cniVersion\":\"\"}").version()).isEqualTo(CniVersion.V0_1_0);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                // What is no JSON object.
                "``|6",
                "` `|6",
                "{|6",
                "null|6",
                "[]|6",
                "\"x\"|6",
                "7|6",
                "{\"name\":\"n\"} x|6",
                "{\"name\":\"n\"}{}|6",
                "{\"name\":\"n\",\"name\":\"m\"}|6",
                "{\"name\":\"n\",\"dns\":{\"a\":1,\"a\":2}}|6",
                "{'name':'n'}|6",
                "{\"name\":\"n\",}|6",
                "{\"name\":\"n\",\"x\":NaN}|6",
                "{\"name\":\"n\" /* c */}|6",
                // A version that is not spoken.
                "{\"name\":\"n\",\"cniVersion\":\"1.2.0\"}|1",
                "{\"name\":\"n\",\"cniVersion\":\"2.0.0\"}|1",
                "{\"name\":\"n\",\"cniVersion\":\"1.1\"}|1",
                "{\"name\":\"n\",\"cniVersion\":\"v1.1.0\"}|1",
                "{\"name\":\"n\",\"cniVersion\":\" 1.1.0\"}|1",
                "{\"name\":\"n\",\"cniVersion\":\"../../x\"}|1",
                // JSON, and wrong.
                "{}|7",
                "{\"name\":\"\"}|7",
                "{\"name\":null}|7",
                "{\"name\":1}|7",
                "{\"name\":\"a b\"}|7",
                "{\"name\":\"../x\"}|7",
                "{\"name\":\"a;b\"}|7",
                "{\"name\":\"a\\u0000\"}|7",
                "{\"name\":\"n\\n\"}|7",
                "{\"name\":\"n\",\"cniVersion\":1}|7",
                "{\"name\":\"n\",\"cniVersion\":null}|7",
                "{\"name\":\"n\",\"cniVersion\":[]}|7",
                "{\"name\":\"n\",\"prevResult\":\"x\"}|7",
                "{\"name\":\"n\",\"prevResult\":[]}|7",
                "{\"name\":\"n\",\"prevResult\":{\"ips\":\"x\"}}|7",
                "{\"name\":\"n\",\"prevResult\":{\"interfaces\":{}}}|7",
                "{\"name\":\"n\",\"prevResult\":{\"routes\":7}}|7",
                "{\"name\":\"n\",\"dns\":7}|7",
            })
    void whatIsWrongHasItsCode(String stdin, int code) {
        assertThat(code(stdin == null ? "" : stdin)).isEqualTo(code);
    }

    @Test
    void unknownKeysAndNullsAreTolerated() throws CniException {
        NetworkConfig config = parse("""
                {"name":"n","cniVersion":"1.1.0","type":"podwire","capabilities":{"x":true},"runtimeConfig":{},
                 "cni.dev/valid-attachments":null,"prevResult":null,"dns":null,"whatever":[1,{"a":2}]}""");
        assertThat(config.prevResult()).isEmpty();
        assertThat(config.dns()).isEmpty();
        assertThat(config.raw().has("whatever")).isTrue();
    }

    @Test
    void badUtf8IsCode6() {
        byte[] bytes = "{\"name\":\"n\",\"x\":\"??\"}".getBytes(StandardCharsets.ISO_8859_1);
        bytes[bytes.length - 4] = (byte) 0xc3;
        bytes[bytes.length - 3] = (byte) 0x28;
        assertThat(catchThrowableOfType(CniException.class, () -> NetworkConfig.parse(bytes))
                        .code()
                        .value())
                .isEqualTo(6);
    }

    @Test
    void nestingDeeperThan32IsCode6AndEndsNoThread() {
        assertThat(code(nested(100_000))).as("depth 100000").isEqualTo(6);
        assertThat(code(nested(NetworkConfig.MAX_DEPTH))).as("one too deep").isEqualTo(6);
    }

    @Test
    void nestingOf32Passes() throws CniException {
        assertThat(parse(nested(NetworkConfig.MAX_DEPTH - 1)).name()).isEqualTo("n");
    }

    private static String nested(int arrays) {
        return "{\"name\":\"n\",\"x\":" + "[".repeat(arrays) + "]".repeat(arrays) + "}";
    }

    @Test
    void moreThanAMebibyteIsCode6() throws CniException {
        int overhead = padded(0).length();
        assertThat(code(padded(NetworkConfig.MAX_BYTES - overhead + 1))).isEqualTo(6);
        assertThat(parse(padded(NetworkConfig.MAX_BYTES - overhead)).name()).isEqualTo("n");
    }

    /** As many short strings, since a long one has a limit of its own. */
    private static String padded(int bytes) {
        return "{\"name\":\"n\"" + " ".repeat(bytes) + "}";
    }

    @Test
    void theErrorOfAnUnspokenVersionNamesBothSides() {
        CniException e =
                catchThrowableOfType(CniException.class, () -> parse("{\"name\":\"n\",\"cniVersion\":\"9.9.9\"}"));
        assertThat(e).hasMessage("incompatible CNI versions");
        assertThat(e.details()).contains("\"9.9.9\"", "0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0");
    }

    /** Whatever a runtime sends: a configuration or a CniException with code 1, 6 or 7. */
    @Test
    void noBytesMakeItFailOtherwise() {
        byte[] sound = """
                {"cniVersion":"1.0.0","name":"net","dns":{"search":["a"]},
                 "prevResult":{"interfaces":[{"name":"x"}],"ips":[{"address":"10.0.0.1/32"}],"routes":[]}}""".getBytes(StandardCharsets.UTF_8);
        Seeds.forEach(NetworkConfigTest.class, 2000, random -> {
            byte[] bytes = sound.clone();
            for (int i = random.nextInt(4); i >= 0; i--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
            }
            try {
                assertThat(NetworkConfig.parse(bytes).name()).isNotEmpty();
            } catch (CniException e) {
                assertThat(e.code().value()).isIn(1, 6, 7);
            }
        });
    }

    private static int code(String stdin) {
        CniException refused = catchThrowableOfType(CniException.class, () -> parse(stdin));
        assertThat(refused).as("'%.60s' is refused", stdin).isNotNull();
        return refused.code().value();
    }

    private static NetworkConfig parse(String stdin) throws CniException {
        return NetworkConfig.parse(stdin.getBytes(StandardCharsets.UTF_8));
    }
}
