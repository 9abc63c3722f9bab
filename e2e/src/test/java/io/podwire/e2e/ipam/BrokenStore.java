package io.podwire.e2e.ipam;

import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.Entry;
import io.podwire.ipam.store.IpamStore;
import io.podwire.ipam.store.Outcome;
import io.podwire.ipam.store.Reading;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Stores that break one promise of {@link IpamStore} and keep the others: the test of the test. */
enum BrokenStore {
    /** Writes over whatever is there, and answers that it compared. */
    COMPARES_NOTHING {
        @Override
        Breach breach() {
            return (real, call) -> {
                if (!call.writes()) {
                    return call.proceed();
                }
                Outcome outcome;
                do {
                    outcome = real.compareAndSet(blind(real, call.changes()));
                } while (outcome instanceof Outcome.Conflict);
                return outcome;
            };
        }
    },
    /** Answers some writes without having done them. */
    LOSES_WRITES {
        @Override
        Breach breach() {
            return new Breach() {
                private int writes;

                @Override
                public Object answer(IpamStore real, Call call) throws Throwable {
                    return call.writes() && ++writes % 5 == 0 ? new Outcome.Applied(real.revision()) : call.proceed();
                }
            };
        }
    },
    /** Does some writes twice, the second time over whatever is there then. */
    REPEATS_WRITES {
        @Override
        Breach breach() {
            return new Breach() {
                private int writes;
                private List<Change> before = List.of();

                @Override
                public Object answer(IpamStore real, Call call) throws Throwable {
                    Object answer = call.proceed();
                    if (call.writes() && answer instanceof Outcome.Applied) {
                        if (++writes % 5 == 0) {
                            var _ = real.compareAndSet(blind(real, before));
                        }
                        before = call.changes();
                    }
                    return answer;
                }
            };
        }
    },
    /** Answers reads from the past. */
    READS_THE_PAST {
        @Override
        Breach breach() {
            return new Breach() {
                private int reads;
                private Reading before = new Reading(0, true, List.of());

                @Override
                public Object answer(IpamStore real, Call call) throws Throwable {
                    if (!call.reads()) {
                        return call.proceed();
                    }
                    if (reads++ % 5 == 0) {
                        before = real.read(0);
                    }
                    return before;
                }
            };
        }
    };

    /** What is broken of one client's store; used by one thread. */
    interface Breach {
        /** Answers a call, wrongly or by way of the real store. */
        Object answer(IpamStore real, Call call) throws Throwable;
    }

    /** One call of a method of a store. */
    record Call(IpamStore real, Method method, List<Object> arguments) {
        private Object proceed() throws Throwable {
            try {
                return method.invoke(real, arguments.toArray());
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        }

        private boolean writes() {
            return method.getName().equals("compareAndSet");
        }

        private boolean reads() {
            return method.getName().equals("read");
        }

        @SuppressWarnings("unchecked") // compareAndSet takes nothing else
        private List<Change> changes() {
            return (List<Change>) arguments.getFirst();
        }
    }

    /** A breach that has not answered anything yet. */
    abstract Breach breach();

    /** The store with this fault. A proxy: what is not broken is handed on as it is, whatever the store can do. */
    IpamStore over(IpamStore real) {
        Breach breach = breach();
        return (IpamStore) Proxy.newProxyInstance(
                IpamStore.class.getClassLoader(),
                new Class<?>[] {IpamStore.class},
                (_, method, arguments) -> breach.answer(
                        real, new Call(real, method, arguments == null ? List.of() : List.of(arguments))));
    }

    /** The changes, so that they expect what is there now. */
    private static List<Change> blind(IpamStore real, List<Change> changes) {
        Map<String, Long> versions = real.load().stream().collect(Collectors.toMap(Entry::key, Entry::version));
        return changes.stream()
                .<Change>map(change -> {
                    long version = versions.getOrDefault(change.key(), Change.ABSENT);
                    return switch (change) {
                        case Change.Put put -> new Change.Put(put.key(), version, put.value());
                        case Change.Delete delete -> new Change.Delete(delete.key(), version);
                        case Change.Check check -> new Change.Check(check.key(), version);
                    };
                })
                .toList();
    }
}
