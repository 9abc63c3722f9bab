package io.podwire.ipam.service;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import java.util.List;
import java.util.function.Predicate;

/**
 * One page of a list.
 *
 * @param items in order
 * @param more true when others follow
 */
record Page<T>(List<T> items, boolean more) {
    /** Copies. */
    Page {
        items = List.copyOf(items);
    }

    /**
     * Cuts a page.
     *
     * @param all in order
     * @param after true for what comes after the page before
     * @param size the message's page_size, 0 for {@code largest}
     * @param largest allowed size
     */
    static <T> Page<T> of(List<T> all, Predicate<T> after, int size, int largest) {
        if (size < 0 || size > largest) {
            throw new ServiceException(
                    ErrorReason.INVALID_ARGUMENT, "page_size must be 0 to " + largest + ", got " + size);
        }
        int limit = size == 0 ? largest : size;
        List<T> rest = all.stream().filter(after).limit(limit + 1L).toList();
        return new Page<>(rest.subList(0, Math.min(limit, rest.size())), rest.size() > limit);
    }

    /** The last item; only asked for when there are more. */
    T last() {
        return items.getLast();
    }
}
