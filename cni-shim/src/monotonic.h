// Monotonic time in milliseconds. Deadlines never rest on the wall clock.
#ifndef PODWIRE_MONOTONIC_H
#define PODWIRE_MONOTONIC_H

#include <stdint.h>
#include <time.h>

// Milliseconds since an arbitrary point that does not move.
static inline int64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Milliseconds until deadline for poll(2), never negative: 0 once it has passed.
static inline int monotonic_left_ms(int64_t deadline) {
    int64_t left = deadline - monotonic_ms();
    return left > 0 ? (int)left : 0;
}

#endif
