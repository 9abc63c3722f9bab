package io.podwire.common.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ListenAddressTest {
    @ParameterizedTest
    @CsvSource({
        "127.0.0.1:7471, 127.0.0.1, 7471",
        "0.0.0.0:0, 0.0.0.0, 0",
        "[::1]:80, ::1, 80",
        "some-host:65535, some-host, 65535",
    })
    void hostAndPort(String text, String host, int port) {
        assertThat(ListenAddress.parse("--listen", text)).isEqualTo(new ListenAddress.Tcp(host, port));
    }

    @Test
    void unixPath() {
        assertThat(ListenAddress.parse("--listen", "unix:/run/x/y.sock"))
                .isEqualTo(new ListenAddress.Unix(Path.of("/run/x/y.sock")));
        assertThat(ListenAddress.parse("--listen", "unix:/" + "a".repeat(106))).isInstanceOf(ListenAddress.Unix.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "x",
                ":80",
                "x:",
                "x:y",
                "x:65536",
                "x:-1",
                "::1:80:",
                "1.2.3.4",
                "unix:",
                "unix:rel/x",
                "unix:\u0000"
            })
    void otherTextIsRefusedWithTheOptionsName(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> ListenAddress.parse("--listen", text));
    }

    @Test
    void aPathLongerThanTheKernelsIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ListenAddress.parse("--listen", "unix:/" + "a".repeat(107)))
                .withMessageContaining("--listen")
                .withMessageContaining("107");
        assertThatIllegalArgumentException()
                .as("bytes count, not characters")
                .isThrownBy(() -> ListenAddress.parse("--listen", "unix:/" + "\u00e4".repeat(60)));
    }
}
