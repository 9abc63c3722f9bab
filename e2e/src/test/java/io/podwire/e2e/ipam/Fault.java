package io.podwire.e2e.ipam;

import static org.awaitility.Awaitility.await;

import io.podwire.e2e.ipam.EtcdCluster.Cut;
import io.podwire.e2e.ipam.EtcdCluster.Member;
import java.time.Duration;
import java.util.List;
import java.util.random.RandomGenerator;

/** What happens to etcd under its clients; afterwards all members run and can reach each other again. */
enum Fault {
    /** kill -9 of the leader, which is started again after a while. */
    LEADER_KILLED {
        @Override
        void happen(EtcdCluster etcd, RandomGenerator random) {
            Member leader = etcd.leader();
            etcd.kill(leader);
            pass(random.nextInt(200, 3_000));
            etcd.restart(leader);
        }
    },
    /** The leader is stopped for 10 s and goes on where it was. */
    LEADER_STOPPED {
        @Override
        void happen(EtcdCluster etcd, RandomGenerator random) {
            Member leader = etcd.leader();
            etcd.signal(leader, "STOP");
            pass(10_000);
            etcd.signal(leader, "CONT");
        }
    },
    /** The leader is cut off, in one of several ways. */
    LEADER_CUT_OFF {
        @Override
        void happen(EtcdCluster etcd, RandomGenerator random) {
            Member leader = etcd.leader();
            etcd.cutOff(leader, CUTS.get(random.nextInt(CUTS.size())));
            pass(random.nextInt(2_000, 6_000));
            etcd.heal(leader);
        }
    },
    /** Again and again all that was is forgotten. */
    COMPACTION {
        @Override
        void happen(EtcdCluster etcd, RandomGenerator random) {
            for (int i = 0; i < 20; i++) {
                etcd.compact();
                pass(random.nextInt(200));
            }
        }
    },
    /** etcd's space is used up, and it takes no writes until an operator has made room. */
    QUOTA_USED_UP {
        @Override
        void happen(EtcdCluster etcd, RandomGenerator random) {
            etcd.fill();
            pass(random.nextInt(1_000, 4_000));
            etcd.makeRoom();
        }
    };

    private static final List<Cut> CUTS = List.of(Cut.values());

    /** Has it happen, and ends it. */
    abstract void happen(EtcdCluster etcd, RandomGenerator random);

    /** How long a fault lasts is part of it: nothing is waited for. */
    private static void pass(int millis) {
        await().pollDelay(Duration.ofMillis(millis))
                .atMost(Duration.ofMillis(millis).plusSeconds(1))
                .until(() -> true);
    }
}
