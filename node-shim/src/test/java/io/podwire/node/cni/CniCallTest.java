package io.podwire.node.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.MacAddress;
import io.podwire.node.cni.CniException.Code;
import io.podwire.node.journal.Attachment.PodIdentity;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.PodRequest;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class CniCallTest {
    private static final String NETNS = "/run/netns/pod";

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "''|''|''|CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME",
                "''|/n|eth0|CNI_CONTAINERID",
                "c|''|eth0|CNI_NETNS",
                "c|/n|''|CNI_IFNAME",
                "''|/n|''|CNI_CONTAINERID,CNI_IFNAME",
            })
    void everyMissingVariableIsNamed(String id, String netns, String ifname, String missing) {
        CniException refused = refused(id, netns, ifname, "");
        assertThat(refused.getMessage()).isEqualTo("required env variables [" + missing + "] missing");
        assertThat(refused.code().value()).isEqualTo(4);
    }

    @Test
    void onlyDelNeedsNoNetns() throws CniException {
        CniCall call = CniCall.of("c", "", "eth0", "", false, false, config());
        assertThat(call.netns()).isEmpty();
        assertThat(call.key()).isEqualTo(new EndpointKey("c", "eth0"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../../x",
                "a;b",
                "a b",
                "a/b",
                ".hidden",
                "-a",
                "_a",
                "a\u0000b",
                "a\nb",
                "a\n",
                "\u00e4",
                "$(id)",
                "`id`",
                "a%b",
                "\u0661",
                "a\u202eb"
            })
    void aWrongContainerIdIsCode4(String id) {
        assertThat(refused(id, NETNS, "eth0", "").getMessage()).isEqualTo("invalid CNI_CONTAINERID");
    }

    @Test
    void aContainerIdHasAtMost255Characters() throws CniException {
        assertThat(refused("a".repeat(256), NETNS, "eth0", "").code()).isEqualTo(Code.INVALID_ENVIRONMENT);
        assertThat(refused("a".repeat(300), NETNS, "eth0", "").getMessage()).isEqualTo("invalid CNI_CONTAINERID");
        assertThat(call("a".repeat(255), "eth0", "").key().containerId()).hasSize(255);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "0", "A.b-c_9", "f1f2f3f4f5f6"})
    void aRightContainerIdPasses(String id) throws CniException {
        assertThat(call(id, "eth0", "").key()).isEqualTo(new EndpointKey(id, "eth0"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "abcdefghijklmnop",
                "a/b",
                "/",
                "..",
                ".",
                "a:b",
                "a b",
                "a\tb",
                "a\nb",
                "eth0\n",
                "a\u0000",
                "e%d",
                "\u007f",
                "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"
            })
    void aWrongIfnameIsCode4(String ifname) {
        assertThat(refused("c", NETNS, ifname, "").getMessage()).isEqualTo("invalid CNI_IFNAME");
    }

    @ParameterizedTest
    @ValueSource(strings = {"eth0", "abcdefghijklmno", "...", "net-1.5", "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"})
    void aRightIfnamePasses(String ifname) throws CniException {
        assertThat(call("c", ifname, "").key().ifname()).isEqualTo(ifname);
    }

    @ParameterizedTest
    @ValueSource(strings = {"run/netns/x", "x", "./x", "/a\u0000b"})
    void aNetnsThatIsNoAbsolutePathIsCode4(String netns) {
        assertThat(refused("c", netns, "eth0", "").getMessage()).isEqualTo("invalid CNI_NETNS");
    }

    @ParameterizedTest
    @CsvSource({
        "'', '', '', '', false",
        "'K8S_POD_NAMESPACE=ns;K8S_POD_NAME=p;K8S_POD_UID=u', ns, p, u, true",
        "'IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=p;K8S_POD_INFRA_CONTAINER_ID=c', ns, p, '', true",
        "'K8S_POD_NAMESPACE=ns;K8S_POD_NAME=p', ns, p, '', false",
        "'K8S_POD_UID=u', '', '', u, false",
        "'IgnoreUnknown=true;IP=1.2.3.4;;', '', '', '', false",
        "'K8S_POD_NAME=a=b', '', 'a=b', '', false",
        "'K8S_POD_NAME=;K8S_POD_UID=u', '', '', u, false",
    })
    void argsNameThePod(String args, String namespace, String name, String uid, boolean declared) throws CniException {
        assertThat(call("c", "eth0", args).pod()).isEqualTo(new PodIdentity(namespace, name, uid, declared));
    }

    @ParameterizedTest
    @CsvSource({
        "'FOO=1', 'unknown CNI_ARGS [FOO]'",
        "'IP=1;MAC=2;FOO=1;K8S_POD_NAME=p;BAR=2', 'unknown CNI_ARGS [BAR, FOO]'",
        "'IgnoreUnknown=0;FOO=1', 'unknown CNI_ARGS [FOO]'",
        "'junk', 'invalid CNI_ARGS'",
        "'=v', 'invalid CNI_ARGS'",
        "'K8S_POD_NAME=p;x', 'invalid CNI_ARGS'",
    })
    void wrongArgsAreCode4(String args, String message) {
        assertThat(refused("c", NETNS, "eth0", args).getMessage()).isEqualTo(message);
    }

    @Test
    void whatIsAskedForIsReadFromArgsAndConfiguration() throws CniException {
        PodRequest request = asking("IP=10.1.0.7;MAC=02:00:00:00:00:07", "\"mtu\":1400");
        assertThat(request.addresses()).containsExactly(IpAddress.parse("10.1.0.7"));
        assertThat(request.mac()).hasValue(MacAddress.parse("02:00:00:00:00:07"));
        assertThat(request.mtu()).hasValue(1400);
        assertThat(asking("", "\"x\":1")).isEqualTo(PodRequest.NONE);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "IP=one|\"x\":1|4|invalid IP in CNI_ARGS",
                "MAC=01:00:00:00:00:07|\"x\":1|4|invalid MAC in CNI_ARGS",
                "''|\"mtu\":1|7|invalid mtu",
                "''|\"promiscMode\":true|2|unsupported promiscMode",
            })
    void whatCannotBeAskedForHasTheCodeOfItsKind(String args, String member, int code, String message) {
        CniException refused = catchThrowableOfType(CniException.class, () -> asking(args, member));
        assertThat(refused).as("%s %s is refused", args, member).isNotNull();
        assertThat(refused.code().value()).isEqualTo(code);
        assertThat(refused.getMessage()).isEqualTo(message);
        assertThat(refused.details()).isNotEmpty();
    }

    private static PodRequest asking(String args, String member) throws CniException {
        NetworkConfig config = NetworkConfig.parse(
                ("{\"name\":\"podwire\",\"cniVersion\":\"1.1.0\"," + member + "}").getBytes(StandardCharsets.UTF_8));
        return CniCall.of("c", NETNS, "eth0", args, false, true, config).request();
    }

    @Test
    void theRestIsHandedOn() throws CniException {
        CniCall call = CniCall.of("c", NETNS, "eth0", "", true, true, config());
        assertThat(call.netns()).isEqualTo(Optional.of(Path.of(NETNS)));
        assertThat(call.netnsOverride()).isTrue();
        assertThat(call.config().name()).isEqualTo("podwire");
    }

    private static CniCall call(String id, String ifname, String args) throws CniException {
        return CniCall.of(id, NETNS, ifname, args, false, true, config());
    }

    private static CniException refused(String id, String netns, String ifname, String args) {
        CniException refused = catchThrowableOfType(
                CniException.class, () -> CniCall.of(id, netns, ifname, args, false, true, config()));
        assertThat(refused)
                .as("%s %s %s %s is refused", id, netns, ifname, args)
                .isNotNull();
        assertThat(refused.code().value()).as("code").isEqualTo(4);
        return refused;
    }

    private static NetworkConfig config() throws CniException {
        return NetworkConfig.parse("{\"name\":\"podwire\",\"cniVersion\":\"1.1.0\"}".getBytes(StandardCharsets.UTF_8));
    }
}
