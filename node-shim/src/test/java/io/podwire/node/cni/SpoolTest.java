package io.podwire.node.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.node.cni.CniException.Code;
import io.podwire.node.plan.EndpointKey;
import io.podwire.proto.cni.v1.CniRequest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class SpoolTest {
    @TempDir
    Path temp;

    @Test
    void theFolderIsMadeForItsOwnerAlone() throws IOException {
        Path folder = temp.resolve("a/b/spool");
        Spool spool = new Spool(folder);
        spool.drain(_ -> {
            throw new AssertionError("nothing waits");
        });
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)))
                .isEqualTo("rwx------");
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        new Spool(folder).drain(_ -> {});
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)))
                .as("narrowed again")
                .isEqualTo("rwx------");
    }

    @Test
    void everyDelIsDoneOnceAndItsFileIsGone() throws IOException {
        Spool spool = new Spool(temp);
        List<CniRequest> waiting = new ArrayList<>();
        for (int i = 0; i < 110; i++) {
            waiting.add(request("c" + i));
            put("f" + i + ".del", waiting.getLast().toByteArray());
        }
        List<CniRequest> done = new ArrayList<>();
        spool.drain(done::add);
        assertThat(done).containsExactlyInAnyOrderElementsOf(waiting);
        spool.drain(_ -> {
            throw new AssertionError("done already");
        });
        assertThat(files()).isEmpty();
    }

    @Test
    void theFileIsThereUntilItsDelHasEnded() throws IOException {
        Spool spool = new Spool(temp);
        put("x.del", request("c").toByteArray());
        spool.drain(_ -> assertThat(files()).as("a kill now repeats the DEL").containsExactly("x.del"));
        assertThat(files()).isEmpty();
    }

    @Test
    void aFileThatIsNoRequestIsSetAsideAndStopsNobody() throws IOException {
        Spool spool = new Spool(temp);
        put("a.del", "no protobuf at all \u00ff".getBytes(StandardCharsets.ISO_8859_1));
        put("b.del", request("good").toByteArray());
        List<String> done = new ArrayList<>();
        spool.drain(request -> done.add(request.getContainerId()));
        assertThat(done).containsExactly("good");
        assertThat(files()).containsExactly("a.del.bad");
        spool.drain(request -> done.add(request.getContainerId()));
        assertThat(done).as("a bad file is looked at once").containsExactly("good");
    }

    @Test
    void aRequestThatCanNeverBeDoneIsSetAside() throws IOException {
        Spool spool = new Spool(temp);
        put("a.del", request("hostile").toByteArray());
        spool.drain(_ -> {
            throw new CniException(Code.INVALID_ENVIRONMENT, "invalid CNI_CONTAINERID", "");
        });
        assertThat(files()).containsExactly("a.del.bad");
    }

    @Test
    void aFailingDelIsKeptAndTriedAgainAndStopsNobody() throws IOException {
        Spool spool = new Spool(temp);
        put("a.del", request("fails").toByteArray());
        put("b.del", request("works").toByteArray());
        spool.drain(request -> {
            if (request.getContainerId().equals("fails")) {
                throw new IllegalStateException("the kernel is busy");
            }
        });
        assertThat(files()).containsExactly("a.del");
        spool.drain(_ -> {});
        assertThat(files()).isEmpty();
    }

    @Test
    void filesOfCniShimStillBeingWrittenAreLeftAlone() throws IOException {
        Spool spool = new Spool(temp);
        put("x.del.tmp", request("half").toByteArray());
        spool.drain(_ -> {
            throw new AssertionError("not renamed yet");
        });
        assertThat(files()).containsExactly("x.del.tmp");
    }

    @Test
    void whatAKilledShimLeftHalfWrittenGoesAtTheSecondLook() throws IOException {
        Spool spool = new Spool(temp);
        put(
                ".f53f02b3bfe94942dfa819928f8c8cdb.0123456789abcdef",
                request("half").toByteArray());
        put("x.del", request("whole").toByteArray());
        spool.sweep();
        assertThat(files()).as("it may be on its way").hasSize(2);
        put(".540c4be81be81cd304bcfdc548133118.0123456789abcdef", new byte[0]);
        spool.sweep();
        assertThat(files()).containsExactly(".540c4be81be81cd304bcfdc548133118.0123456789abcdef", "x.del");
        spool.sweep();
        assertThat(files()).containsExactly("x.del");
    }

    @Test
    void oneAttachmentsDelIsFoundByItsNameAlone() throws IOException {
        Spool spool = new Spool(temp);
        // Names that cni-shim gave: FNV-1a of "c1\0eth0" and "abc\0eth1".
        put("f53f02b3bfe94942dfa819928f8c8cdb.del", request("c1").toByteArray());
        put("540c4be81be81cd304bcfdc548133118.del", request("abc").toByteArray());
        List<String> done = new ArrayList<>();
        spool.drain(new EndpointKey("abc", "eth1"), request -> done.add(request.getContainerId()));
        spool.drain(new EndpointKey("abc", "eth0"), request -> done.add(request.getContainerId()));
        assertThat(done).containsExactly("abc");
        assertThat(files()).containsExactly("f53f02b3bfe94942dfa819928f8c8cdb.del");
    }

    /** Without that, a drain that read the file before would do the DEL on the ADD after it. */
    @Test
    void aDelIsDoneOnceWhenTwoThreadsFindIt() throws Exception {
        Spool spool = new Spool(temp);
        put("f53f02b3bfe94942dfa819928f8c8cdb.del", request("c1").toByteArray());
        CountDownLatch first = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        List<String> done = new CopyOnWriteArrayList<>();
        Spool.Deleter slow = request -> {
            done.add(request.getContainerId());
            first.countDown();
            try {
                end.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        };
        Thread background = Thread.ofPlatform().daemon().start(() -> spool.drain(slow));
        first.await();
        Thread add = Thread.ofPlatform().daemon().start(() -> spool.drain(new EndpointKey("c1", "eth0"), slow));
        await().atMost(Duration.ofSeconds(5)).until(() -> add.getState() == Thread.State.WAITING);
        end.countDown();
        background.join();
        add.join();
        assertThat(done).as("DELs done").hasSize(1);
    }

    private void put(String name, byte[] content) throws IOException {
        Files.write(temp.resolve(name), content);
    }

    private List<String> files() {
        try (Stream<Path> files = Files.list(temp)) {
            return files.map(f -> f.getFileName().toString()).sorted().toList();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static CniRequest request(String id) {
        return CniRequest.newBuilder()
                .setCommand("DEL")
                .setContainerId(id)
                .setIfname("eth0")
                .build();
    }
}
