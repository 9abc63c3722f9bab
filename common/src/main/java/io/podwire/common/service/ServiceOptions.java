package io.podwire.common.service;

/** Options of one service: a class with picocli fields, read once and checked before anything starts. */
public interface ServiceOptions {
    /** The options every service has. */
    CommonOptions common();

    /**
     * Checks what picocli cannot: ranges, and options that exclude each other.
     *
     * @throws IllegalArgumentException naming the option, its value and the allowed range
     */
    default void check() {}
}
