package io.podwire.ipam.store;

/** One key's part in a compare-and-set. */
public sealed interface Change {
    /** The version of a key that does not exist. */
    long ABSENT = 0;

    /** The key. */
    String key();

    /** The version it must have, or {@link #ABSENT}. */
    long expected();

    /** Writes a value, and with it a new version, also where the value is the same. */
    record Put(String key, long expected, Value content) implements Change {
        /** A value that is text. */
        public Put(String key, long expected, String value) {
            this(key, expected, new Value.Text(value));
        }

        /** The text to write. */
        public String value() {
            return LedgerCodec.text(content);
        }
    }

    /** Removes the key. */
    record Delete(String key, long expected) implements Change {}

    /** Leaves the key as it is. */
    record Check(String key, long expected) implements Change {}
}
