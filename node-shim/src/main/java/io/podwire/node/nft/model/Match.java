package io.podwire.node.nft.model;

import java.util.List;

/** A condition of a rule. */
public sealed interface Match {

    /**
     * The field has one of these values.
     *
     * @param field what is looked at
     * @param values at least one
     */
    record OneOf(Field field, List<Value> values) implements Match {
        /** Checks and copies. */
        public OneOf {
            values = List.copyOf(values);
            if (values.isEmpty() || (field == Field.FLOW_PORT && values.size() > 1)) {
                throw new IllegalArgumentException(field + " cannot be one of " + values);
            }
        }
    }

    /**
     * The field has another value.
     *
     * @param field what is looked at
     * @param values those that it must not have, at least one
     */
    record Not(Field field, List<Value> values) implements Match {
        /** Checks and copies. */
        public Not {
            values = List.copyOf(values);
            if (values.isEmpty()) {
                throw new IllegalArgumentException("there is no value that " + field + " must not have");
            }
        }

        /** The field has another value than this one. */
        public Not(Field field, Value value) {
            this(field, List.of(value));
        }
    }

    /**
     * The fields together are a member of a set.
     *
     * @param fields at least one; several are concatenated
     * @param set its name
     */
    record InSet(List<Field> fields, String set) implements Match {
        /** Checks and copies. */
        public InSet {
            fields = List.copyOf(fields);
            Identifiers.check("set", set);
            if (fields.isEmpty()) {
                throw new IllegalArgumentException("no field to look up in " + set);
            }
        }
    }

    /** The field has this value. */
    static Match is(Field field, Value value) {
        return new OneOf(field, List.of(value));
    }

    /** The field has one of these symbols. */
    static Match is(Field field, String... symbols) {
        return new OneOf(
                field, List.of(symbols).stream().<Value>map(Value.Symbol::new).toList());
    }

    /** The field is a member of the set. */
    static Match in(Field field, String set) {
        return new InSet(List.of(field), set);
    }
}
