package io.podwire.e2e.ipam.sim;

import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.ReclaimRules.Patience;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.Reading;
import java.time.Duration;
import java.util.List;
import java.util.function.Predicate;
import java.util.function.Supplier;

/** Deliberate bugs, each of which a simulation must find. */
enum Bug implements Conduct {
    /** Writes over whatever is there. */
    SKIPS_THE_COMPARE {
        @Override
        public boolean matches(Change change, long version) {
            return true;
        }
    },
    /** Takes any life of a node for its newest. */
    ACCEPTS_AN_OLDER_EPOCH {
        @Override
        public NodeEpoch caller(NodeEpoch caller, Supplier<Ledger> ledger) {
            return ledger.get().newest(caller).orElse(caller);
        }
    },
    /** Refuses by what it knew before the call. */
    REFUSES_WITHOUT_ANOTHER_LOOK {
        @Override
        public Reading read(Reading reading, long since, boolean afterWrite) {
            return since == 0 || afterWrite ? reading : new Reading(since, false, List.of());
        }
    },
    /** Answers a write that a crash of the store can still take. */
    ANSWERS_BEFORE_THE_WRITE_IS_ON_DISK {
        @Override
        public boolean answersEarly() {
            return true;
        }
    },
    /** A claim without an answer is tried again as another claim. */
    RETRIES_A_CLAIM_WITH_ANOTHER_ID {
        @Override
        public String retried(String requestId, Supplier<String> another) {
            return another.get();
        }
    },
    /** A released address is given again at once. */
    FORGETS_THE_COOL_DOWN {
        @Override
        public Duration coolDown(Duration coolDown) {
            return Duration.ZERO;
        }
    },
    /** What takes addresses can meet the end of their pool. */
    ALLOCATES_WITHOUT_THE_POOL {
        @Override
        public List<Change> written(List<Change> changes) {
            return without(changes, key -> key.startsWith("pools/"), "addresses/");
        }
    },
    /** A node goes on with what it has given back. */
    USES_A_BLOCK_AFTER_ITS_RELEASE {
        @Override
        public boolean keepsReleased() {
            return true;
        }
    },
    /** Two calls of one owner do not meet. */
    ALLOCATES_WITHOUT_THE_OWNER {
        @Override
        public List<Change> written(List<Change> changes) {
            return without(changes, key -> key.startsWith("owners/"), "addresses/");
        }
    },
    /** Takes all that is there for all that is new: what is gone stays known. */
    IGNORES_THAT_A_READING_IS_WHOLE {
        @Override
        public Reading read(Reading reading, long since, boolean afterWrite) {
            return since == 0 ? reading : new Reading(reading.revision(), false, reading.entries());
        }
    },
    /** Two tries of one claim do not meet, at the key of their request or at that of their node. */
    CLAIMS_WITHOUT_REQUEST_AND_NODE {
        @Override
        public List<Change> written(List<Change> changes) {
            return reclaims(changes)
                    ? changes
                    : without(changes, key -> key.startsWith("requests/") || key.startsWith("nodes/"), "blocks/");
        }
    },
    /** Takes a node for gone that one list lacks. */
    RECLAIMS_AFTER_ONE_LOOK {
        @Override
        public Patience patience(Patience patience) {
            return new Patience(Duration.ZERO, Duration.ZERO);
        }

        @Override
        public int looksOfAList() {
            return 2;
        }
    },
    /** Takes the blocks of a node that has come back meanwhile in a newer life. */
    RECLAIMS_WITHOUT_THE_EPOCH {
        @Override
        public boolean matches(Change change, long version) {
            return fences(change) || change.expected() == version;
        }
    },
    /** Takes the blocks of a node and goes on serving the life that had them. */
    RECLAIMS_WITHOUT_A_FENCE {
        @Override
        public List<Change> written(List<Change> changes) {
            return changes.stream().filter(change -> !fences(change)).toList();
        }
    };

    /** True for a write that takes blocks back. */
    static boolean reclaims(List<Change> changes) {
        return changes.stream().anyMatch(Bug::fences);
    }

    private static boolean fences(Change change) {
        return change instanceof Change.Put put
                && put.key().startsWith("nodes/")
                && put.value().contains("\"reclaimed\"");
    }

    /** The changes without those of some keys, where there are some of other keys too. */
    private static List<Change> without(List<Change> changes, Predicate<String> some, String beside) {
        return changes.stream().noneMatch(change -> change.key().startsWith(beside))
                ? changes
                : changes.stream().filter(change -> !some.test(change.key())).toList();
    }
}
