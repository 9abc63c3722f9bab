package io.podwire.e2e.ipam.sim;

import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.AddressWish;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.ReclaimRules.Patience;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.core.Workload;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.Entry;
import io.podwire.ipam.store.Reading;
import io.podwire.ipam.store.Value;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/** Deliberate bugs, each of which a simulation must find, by what it does wrong and not by chance. */
enum Bug implements Conduct {
    /** Writes over whatever is there. */
    SKIPS_THE_COMPARE("") {
        @Override
        public boolean matches(Change change, long version) {
            return true;
        }
    },
    /** Takes any life of a node for its newest. */
    ACCEPTS_AN_OLDER_EPOCH("has forgotten that request|is not its own") {
        @Override
        public NodeEpoch caller(NodeEpoch caller, Supplier<Ledger> ledger) {
            return ledger.get()
                    .newest(caller)
                    .filter(newest -> caller.relationTo(newest) == NodeEpoch.Relation.OLDER)
                    .orElse(caller);
        }
    },
    /** Refuses by what it knew before the call. */
    REFUSES_WITHOUT_ANOTHER_LOOK("true at no moment") {
        @Override
        public Reading read(Reading reading, long since, boolean afterWrite) {
            return since == 0 || afterWrite ? reading : new Reading(since, false, List.of());
        }
    },
    /** Answers a write that a crash of the store can still take. */
    ANSWERS_BEFORE_THE_WRITE_IS_ON_DISK("not its own|not stored as its own|true at no moment|were reserved for") {
        @Override
        public boolean answersEarly() {
            return true;
        }
    },
    /** A claim without an answer is tried again as another claim. */
    RETRIES_A_CLAIM_WITH_ANOTHER_ID("has forgotten that request") {
        @Override
        public String retried(String requestId, Supplier<String> another) {
            return another.get();
        }
    },
    /** A released address is given again at once. */
    FORGETS_THE_COOL_DOWN("single=true.* before it has cooled down") {
        @Override
        public Duration coolDown(Duration coolDown) {
            return Duration.ZERO;
        }
    },
    /** The same on a node. */
    FORGETS_THE_COOL_DOWN_OF_A_POD("single=false.* before it has cooled down") {
        @Override
        public Duration coolDownOfNode(Duration coolDown) {
            return Duration.ZERO;
        }
    },
    /** What takes addresses can meet the end of their pool. */
    ALLOCATES_WITHOUT_THE_POOL("in no block of the service's own|is owned, and its pool is") {
        @Override
        public List<Change> written(List<Change> changes) {
            return without(changes, key -> key.startsWith("pools/"), "addresses/");
        }
    },
    /** A node goes on with what it has given back. */
    USES_A_BLOCK_AFTER_ITS_RELEASE("is not its own") {
        @Override
        public boolean keepsReleased() {
            return true;
        }
    },
    /** Two calls of one owner do not meet. */
    ALLOCATES_WITHOUT_THE_OWNER("has asked for") {
        @Override
        public List<Change> written(List<Change> changes) {
            return without(changes, key -> key.startsWith("owners/"), "addresses/");
        }
    },
    /** Takes all that is there for all that is new: what is gone stays known. */
    IGNORES_THAT_A_READING_IS_WHOLE("true at no moment|in no block of the service's own") {
        @Override
        public Reading read(Reading reading, long since, boolean afterWrite) {
            return since == 0 ? reading : new Reading(reading.revision(), false, reading.entries());
        }
    },
    /** Two tries of one claim do not meet, at the key of their request or at that of their node. */
    CLAIMS_WITHOUT_REQUEST_AND_NODE(
            "took two blocks|has forgotten that request|owned by a life whose blocks were taken back") {
        @Override
        public List<Change> written(List<Change> changes) {
            // Releases, which write the same keys, are as they should be.
            return changes.stream()
                            .anyMatch(change ->
                                    change instanceof Change.Put && change.key().startsWith("requests/"))
                    ? without(changes, key -> key.startsWith("requests/") || key.startsWith("nodes/"), "blocks/")
                    : changes;
        }
    },
    /** Takes a node for gone that one list lacks. */
    RECLAIMS_AFTER_ONE_LOOK("are taken back, .* was missing for") {
        @Override
        public int looksOfAList() {
            return 8;
        }
    },
    /** Takes a node for gone that two lists lack, however soon one came after the other. */
    RECLAIMS_WITHOUT_A_GRACE("are taken back, .* was missing for") {
        @Override
        public Patience patience(Patience patience) {
            return new Patience(patience.interval(), Duration.ZERO);
        }
    },
    /** Takes the blocks of a node that has come back meanwhile in a newer life. */
    RECLAIMS_WITHOUT_THE_EPOCH("are taken back, .* was missing for") {
        @Override
        public boolean matches(Change change, long version) {
            return fences(change) || change.expected() == version;
        }
    },
    /** Takes the blocks of a node and goes on serving the life that had them. */
    RECLAIMS_WITHOUT_A_FENCE("owned by a life whose blocks were taken back|has lost its blocks, and is given") {
        @Override
        public List<Change> written(List<Change> changes) {
            return changes.stream()
                    .map(change -> fences(change) ? new Change.Check(change.key(), change.expected()) : change)
                    .toList();
        }
    },
    /** Takes the blocks of a node and leaves its pods what they have of the service's own. */
    RECLAIMS_NO_ADDRESS_OF_ITS_PODS("is still of pod .* whose node is gone") {
        @Override
        public List<Change> written(List<Change> changes) {
            return reclaims(changes)
                    ? without(changes, key -> key.startsWith("addresses/") || key.startsWith("owners/"), "blocks/")
                    : changes;
        }
    },
    /** A node begins with what it is listed to own, which may be taken back right after that. */
    BEGINS_WITH_WHAT_IS_LISTED("is not its own") {
        @Override
        public boolean confirms() {
            return false;
        }
    },
    /** Gives what is reserved to whoever wants that very address. */
    GIVES_WHAT_IS_RESERVED_TO_ANOTHER("has asked for") {
        @Override
        public Optional<Workload> workload(
                Optional<Workload> workload, List<AddressWish> wishes, Supplier<Ledger> ledger) {
            return wishes.size() == 1 && wishes.getFirst() instanceof AddressWish.This(IpAddress address, String _)
                    ? ledger.get()
                            .address(address)
                            .flatMap(one -> one.use().reserved())
                            .or(() -> workload)
                    : workload;
        }
    },
    /** Writes the addresses of each family by themselves, so that there is a moment with half of them. */
    ALLOCATES_EACH_FAMILY_BY_ITSELF("has asked for") {
        @Override
        public List<List<Change>> writes(List<Change> changes) {
            List<Change> six = changes.stream().filter(Bug::givesSix).toList();
            List<Change> others =
                    changes.stream().filter(change -> !givesSix(change)).toList();
            return six.isEmpty() || others.stream().noneMatch(Bug::gives) ? List.of(changes) : List.of(others, six);
        }
    },
    /** Makes an address free at once that is not reserved any more. */
    FORGETS_THE_COOL_DOWN_OF_WHAT_WAS_RESERVED("free now, and has not cooled down") {
        @Override
        public Change taken(Change change, Optional<Entry> before) {
            return isOf(change, AddressUse.Cooling.class)
                            && before.filter(entry -> entry.value().contains("\"RESERVED\""))
                                    .isPresent()
                    ? new Change.Delete(change.key(), change.expected())
                    : change;
        }
    },
    /** Lets an address cool down whose workload is to have it again. */
    FORGETS_THE_WORKLOAD_AT_A_RELEASE("nobody had a right to ask for") {
        @Override
        public Change taken(Change change, Optional<Entry> before) {
            return before.isPresent()
                            && change
                                    instanceof Change.Put(String key, long expected, Value.OfAddress(SingleAddress is))
                            && is.use() instanceof AddressUse.Reserved
                    ? new Change.Put(
                            key, expected, new Value.OfAddress(is.turned(new AddressUse.Cooling(), is.since())))
                    : change;
        }
    },
    /** Names somebody as the holder who has another address. */
    NAMES_ANOTHER_HOLDER(" belongs to .* true at no moment") {
        @Override
        public ServiceException refusal(ServiceException refusal, Supplier<Ledger> ledger) {
            String named = refusal.facts().getOrDefault("owner", "");
            if (named.isEmpty()) {
                return refusal;
            }
            return ledger.get().addresses().stream()
                    .flatMap(one -> one.use().user().stream())
                    .map(AddressOwner::id)
                    .filter(other -> !other.equals(named))
                    .findFirst()
                    .map(other -> {
                        Map<String, String> facts = new TreeMap<>(refusal.facts());
                        facts.put("owner", other);
                        String message = refusal.getMessage().replace(" belongs to " + named, " belongs to " + other);
                        return new ServiceException(refusal.reason(), message, facts);
                    })
                    .orElse(refusal);
        }
    },
    /** Takes an address from whoever has it, when somebody releases it that had it once. */
    RELEASES_BY_ADDRESS_ALONE("nobody had a right to ask for") {
        @Override
        public String releaser(String ownerId, List<IpAddress> addresses, Supplier<Ledger> ledger) {
            return addresses.isEmpty()
                    ? ownerId
                    : ledger.get()
                            .address(addresses.getFirst())
                            .flatMap(one -> one.use().user())
                            .map(AddressOwner::id)
                            .orElse(ownerId);
        }
    };

    private final Pattern sign;

    Bug(String sign) {
        this.sign = Pattern.compile(sign);
    }

    /** True when this tells of what the bug does wrong, which several may do. */
    boolean shows(String violation) {
        return sign.matcher(violation).find();
    }

    /** True for a write that takes blocks back. */
    static boolean reclaims(List<Change> changes) {
        return changes.stream().anyMatch(Bug::fences);
    }

    private static boolean fences(Change change) {
        return change instanceof Change.Put put
                && put.key().startsWith("nodes/")
                && put.value().contains("\"reclaimed\"");
    }

    private static boolean isOf(Change change, Class<? extends AddressUse> use) {
        return change instanceof Change.Put(String _, long _, Value.OfAddress(SingleAddress is))
                && use.isInstance(is.use());
    }

    private static boolean gives(Change change) {
        return isOf(change, AddressUse.InUse.class);
    }

    private static boolean givesSix(Change change) {
        return gives(change) && change.key().contains(":");
    }

    /** The changes without those of some keys, where there are some of other keys too. */
    private static List<Change> without(List<Change> changes, Predicate<String> some, String beside) {
        return changes.stream().noneMatch(change -> change.key().startsWith(beside))
                ? changes
                : changes.stream().filter(change -> !some.test(change.key())).toList();
    }
}
