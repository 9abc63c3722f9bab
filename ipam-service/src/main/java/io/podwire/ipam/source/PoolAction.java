package io.podwire.ipam.source;

import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import java.util.List;

/** One step that brings the stored pools closer to the declared ones. */
sealed interface PoolAction {
    /** The pool that it is about. */
    String name();

    /** Creates it. */
    record Create(Pool pool) implements PoolAction {
        @Override
        public String name() {
            return pool.name();
        }
    }

    /** Changes these fields of it. */
    record Change(String name, List<PoolEdit> edits) implements PoolAction {
        /** Copies. */
        public Change {
            edits = List.copyOf(edits);
        }
    }

    /** Deletes it: it is declared no more, and empty. */
    record Delete(String name) implements PoolAction {}

    /** Nothing can be done, for this reason. */
    record Refuse(String name, String why) implements PoolAction {}
}
