package io.podwire.route.bgp.message;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * The ASes a route came through, nearest first.
 *
 * @param segments as in AS_PATH, none empty
 */
public record AsPath(List<Segment> segments) {
    /** Of a route of one's own AS. */
    public static final AsPath EMPTY = new AsPath(List.of());

    private static final int SEGMENT_MAX = 255;

    /** Copies. */
    public AsPath {
        segments = List.copyOf(segments);
    }

    /** An ordered or an unordered part. */
    public enum Kind {
        /** AS_SET. */
        SET(1),
        /** AS_SEQUENCE. */
        SEQUENCE(2);

        private final int wire;

        Kind(int wire) {
            this.wire = wire;
        }

        /** Its number in AS_PATH. */
        public int wire() {
            return wire;
        }
    }

    /**
     * A part of the path.
     *
     * @param kind ordered or not
     * @param asns 1 to 255 numbers of 0 to 2^32 - 1
     */
    public record Segment(Kind kind, List<Long> asns) {
        /** Copies and checks the count. */
        public Segment {
            asns = List.copyOf(asns);
            if (asns.isEmpty() || asns.size() > SEGMENT_MAX) {
                throw new IllegalArgumentException("a segment has 1 to 255 AS numbers, got " + asns.size());
            }
        }
    }

    /** The path through these, nearest first. */
    public static AsPath of(Long... asns) {
        return asns.length == 0 ? EMPTY : new AsPath(List.of(new Segment(Kind.SEQUENCE, List.of(asns))));
    }

    /** Its length as best-path selection counts it: a set is one. RFC 4271 §9.1.2.2 a. */
    public int length() {
        int length = 0;
        for (Segment segment : segments) {
            length += segment.kind() == Kind.SET ? 1 : segment.asns().size();
        }
        return length;
    }

    /** True when it goes through this AS. */
    public boolean contains(long asn) {
        return segments.stream().anyMatch(segment -> segment.asns().contains(asn));
    }

    /** The nearest AS, where the path begins with a sequence. */
    public OptionalLong first() {
        return segments.isEmpty() || segments.getFirst().kind() == Kind.SET
                ? OptionalLong.empty()
                : OptionalLong.of(segments.getFirst().asns().getFirst());
    }

    /** The path with an AS before it. */
    public AsPath prepend(long asn) {
        List<Segment> next = new ArrayList<>(segments);
        if (!segments.isEmpty()
                && segments.getFirst().kind() == Kind.SEQUENCE
                && segments.getFirst().asns().size() < SEGMENT_MAX) {
            List<Long> asns = new ArrayList<>(segments.getFirst().asns());
            asns.addFirst(asn);
            next.set(0, new Segment(Kind.SEQUENCE, asns));
        } else {
            next.addFirst(new Segment(Kind.SEQUENCE, List.of(asn)));
        }
        return new AsPath(next);
    }

    /** The numbers, sets in braces. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        for (Segment segment : segments) {
            String joined = String.join(
                    " ", segment.asns().stream().map(String::valueOf).toList());
            text.append(text.isEmpty() ? "" : " ").append(segment.kind() == Kind.SET ? "{" + joined + "}" : joined);
        }
        return text.toString();
    }
}
