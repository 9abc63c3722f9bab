package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.common.net.PodAddresses;
import io.podwire.common.testing.Seeds;
import io.podwire.node.address.AddressBook;
import io.podwire.node.address.BlockUse;
import io.podwire.node.journal.Journal;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Pods come and go, blocks are claimed, drained and given back, answers are lost, releases arrive late, node-shim is
 * killed at any moment: no address is given that is not the node's, and all comes to rest in the end.
 */
final class OwnBlocksPropertyTest {
    private static final int LOW_WATER = 2;
    /** Of two pools, four addresses each. */
    private static final List<IpPrefix> BLOCKS = IntStream.range(0, 8)
            .mapToObj(i -> IpPrefix.parse("10.1." + i + ".0/30"))
            .toList();

    /** How long ipam-service may take for a release whose caller has gone. */
    private static final Duration LATEST = OwnBlocks.WITHHELD_FOR.minusSeconds(1);

    @TempDir
    Path folder;

    /** The answer of a call is lost. */
    private static final class Lost extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    /** node-shim is killed in a call. */
    private static final class Killed extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    /** A release that a service has and has not done yet. */
    private record Late(IpPrefix block, NodeIdentity caller, Duration until) {}

    /** ipam-service: who owns what, compared with the epoch of each caller. */
    private static final class Service {
        private final Map<IpPrefix, NodeIdentity> owners = new TreeMap<>();
        private final Map<String, IpPrefix> requests = new HashMap<>();
        private final Set<String> draining = new HashSet<>();
        private final List<Late> late = new ArrayList<>();
        private long newest;

        private static String pool(IpPrefix block) {
            return BLOCKS.indexOf(block) % 3 == 0 ? "red" : "blue";
        }

        /** Some blocks say how long their addresses cool down, others leave it to the node. */
        private static Optional<Duration> coolDown(IpPrefix block) {
            return pool(block).equals("red") ? Optional.of(Duration.ofSeconds(25)) : Optional.empty();
        }

        Optional<IpPrefix> claim(NodeIdentity caller, String request) {
            newest = Math.max(newest, caller.counter());
            IpPrefix before = requests.get(request);
            if (before != null && owns(caller, before)) {
                return Optional.of(before);
            }
            Optional<IpPrefix> block = BLOCKS.stream()
                    .filter(b -> !owners.containsKey(b) && !draining.contains(pool(b)))
                    .findFirst();
            block.ifPresent(b -> {
                owners.put(b, caller);
                requests.put(request, b);
            });
            return block;
        }

        boolean owns(NodeIdentity who, IpPrefix block) {
            return owners.containsKey(block) && owners.get(block).uid().equals(who.uid());
        }

        void release(NodeIdentity caller, IpPrefix block) {
            if (owns(caller, block) && caller.counter() >= newest) {
                newest = caller.counter();
                owners.remove(block);
            }
        }

        ListedBlock listed(IpPrefix block) {
            NodeIdentity owner = owners.get(block);
            return new ListedBlock(
                    block,
                    pool(block),
                    draining.contains(pool(block)),
                    coolDown(block),
                    new NodeIdentity(owner.name(), owner.uid(), owner.bootId(), newest),
                    "r");
        }

        List<ListedBlock> list(NodeIdentity who) {
            return owners.keySet().stream()
                    .filter(b -> owns(who, b))
                    .map(this::listed)
                    .toList();
        }
    }

    private static final class Run {
        private final RandomGenerator random;
        private final Path file;
        private final Service service = new Service();
        /** What is attached, as the journal's attachments have it. */
        private final Map<String, IpAddress> attached = new HashMap<>();

        private final NodeIdentity other = new NodeIdentity(new NodeName("other"), "other", "boot", 1);
        private Duration now = Duration.ofHours(1);
        private Journal journal;
        private NodeIdentity self;
        private AddressBook<String> book;
        private OwnBlocks own;
        private boolean listed;
        private String request = "";
        private int requests;

        Run(RandomGenerator random, Path file) {
            this.random = random;
            this.file = file;
            begin();
        }

        private void begin() {
            journal = Journal.open(file);
            Journal.Life life = journal.begin("boot", Optional.empty());
            self = new NodeIdentity(new NodeName("self"), life.nodeUid(), "boot", life.counter());
            book = new AddressBook<>(Duration.ofSeconds(10));
            journal.blocks().forEach(book::addBlock);
            attached.forEach(book::restore);
            own = new OwnBlocks(self, journal, book, Set.of(), LOW_WATER);
            listed = false;
            request = "r" + requests++;
        }

        private void killed() {
            // Each change is in the file before its call returns: closing adds nothing.
            journal.close();
            begin();
        }

        void step() {
            String owner = "pod-" + random.nextInt(12);
            switch (random.nextInt(22)) {
                case 0, 1, 2 -> take(owner);
                case 3, 4, 5 -> {
                    book.release(owner, now);
                    attached.remove(owner);
                }
                case 6, 7 -> now = now.plusMillis(random.nextInt(20_000));
                case 8, 9, 16, 17 -> claim();
                case 10 -> list();
                case 11, 18, 19 -> giveBack();
                case 12 -> others();
                case 13 -> {
                    if (!service.draining.remove("red")) {
                        service.draining.add("red");
                    }
                }
                case 14, 20 -> late();
                case 15 -> {
                    if (random.nextInt(3) == 0) {
                        killed();
                    }
                }
                default -> now = now.plusSeconds(1);
            }
            check();
        }

        private void take(String owner) {
            boolean had = !book.heldBy(owner).isEmpty();
            book.take(owner, Set.of(IpFamily.V4), now).map(PodAddresses::first).ifPresent(address -> {
                assertThat(had || BLOCKS.stream().anyMatch(b -> b.contains(address) && service.owns(self, b)))
                        .as("%s is the node's", address)
                        .isTrue();
                attached.put(owner, address);
            });
        }

        private void claim() {
            if (!own.low(IpFamily.V4, "", now)) {
                return;
            }
            Optional<IpPrefix> block = service.claim(self, request);
            if (random.nextInt(4) != 0) {
                request = "r" + requests++;
                block.ifPresent(b -> own.claimed(service.listed(b), now));
            }
        }

        private void list() {
            own.listed(service.list(self), now);
            listed = true;
        }

        private void giveBack() {
            if (!listed) {
                return;
            }
            own.beginReturns(now);
            if (random.nextBoolean()) {
                return;
            }
            try {
                own.finishReturns(now, this::release);
            } catch (Lost _) {
                return;
            } catch (Killed _) {
                killed();
            }
        }

        private void release(IpPrefix block) {
            switch (random.nextInt(10)) {
                case 0 -> throw new Lost();
                case 1 -> throw new Killed();
                case 2, 3, 4 -> {
                    service.late.add(new Late(block, self, now.plus(LATEST)));
                    throw new Lost();
                }
                case 6 -> {
                    service.release(self, block);
                    throw new Lost();
                }
                case 5 -> {
                    service.release(self, block);
                    throw new Killed();
                }
                default -> service.release(self, block);
            }
        }

        private void others() {
            IpPrefix block = BLOCKS.get(random.nextInt(BLOCKS.size()));
            if (!service.owners.containsKey(block)) {
                service.owners.put(block, other);
            } else if (!service.owns(self, block)) {
                service.owners.remove(block);
            }
        }

        private void late() {
            service.late.removeIf(release -> release.until().compareTo(now) < 0);
            if (!service.late.isEmpty()) {
                Late release = service.late.remove(random.nextInt(service.late.size()));
                service.release(release.caller(), release.block());
            }
        }

        private void check() {
            assertThat(own.fence()).as("a node is no newer life of itself").isEmpty();
            assertThat(book.blocks())
                    .as("every block that gives addresses is the node's")
                    .allMatch(block -> service.owns(self, block));
            assertThat(book.usage(now))
                    .allSatisfy(use -> assertThat(use.free() + use.used() + use.cooling())
                            .as("addresses of %s", use)
                            .isEqualTo(4));
            assertThat(new HashSet<>(attached.values())).as("one owner each").hasSize(attached.size());
        }

        /** No call is lost any more. */
        void settle() {
            service.late.clear();
            for (int i = 0; i < 3; i++) {
                now = now.plus(OwnBlocks.WITHHELD_FOR);
                list();
                own.beginReturns(now);
                own.finishReturns(now, block -> service.release(self, block));
                check();
            }
            assertThat(own.returning()).isEmpty();
            list();
            assertThat(book.blocks())
                    .as("what is the node's is used")
                    .containsExactlyElementsOf(BLOCKS.stream()
                            .filter(block -> service.owns(self, block))
                            .toList());
            assertThat(book.usage(now).stream().filter(use -> !use.gives()).filter(BlockUse::unused))
                    .as("empty blocks of the pool that drains")
                    .isEmpty();
            journal.close();
        }
    }

    @Test
    void noAddressIsEverGivenThatIsNotTheNodes() {
        int[] runs = {0};
        Seeds.forEach(OwnBlocksPropertyTest.class, 100, random -> {
            Run run = new Run(random, folder.resolve("journal-" + runs[0]++ + ".mv"));
            for (int i = 0; i < 300; i++) {
                run.step();
            }
            run.settle();
        });
    }
}
