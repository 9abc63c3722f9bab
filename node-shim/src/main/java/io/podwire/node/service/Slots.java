package io.podwire.node.service;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Which endpoint is in which slot of the kernel's map: what stays, stays where it is, as far as the slots have no gap. */
final class Slots {
    private Slots() {}

    /** Those of {@code next}, in slots: of {@code before} as few as can be are in another one. */
    static <T> List<T> arrange(List<T> before, List<T> next) {
        Set<T> come = new LinkedHashSet<>(next);
        List<T> slots = new ArrayList<>(next.size());
        Set<T> beyond = new LinkedHashSet<>();
        for (int i = 0; i < before.size(); i++) {
            T was = before.get(i);
            boolean stays = come.remove(was);
            if (i < next.size()) {
                slots.add(stays ? was : null);
            } else if (stays) {
                beyond.add(was);
            }
        }
        List<T> free = new ArrayList<>(beyond);
        free.addAll(come);
        int taken = 0;
        for (int i = 0; i < slots.size(); i++) {
            if (slots.get(i) == null) {
                slots.set(i, free.get(taken++));
            }
        }
        slots.addAll(free.subList(taken, free.size()));
        return List.copyOf(slots);
    }
}
