// Cases of the shipped binary's malloc, under other names: blocks do not overlap, keep their content, are
// aligned for everything, and there are no more of them than its memory holds.
#define malloc memory_malloc
#define calloc memory_calloc
#define realloc memory_realloc
#define free memory_free
void *malloc(unsigned long size);
void *calloc(unsigned long count, unsigned long size);
void *realloc(void *block, unsigned long size);
void free(void *block);
#include "../src/static/memory.c"
#undef malloc
#undef calloc
#undef realloc
#undef free

#include <stdio.h>
#include <time.h>

#include "harness.h"

enum { BLOCKS = 200, STEPS = 20000 };

struct block {
    unsigned char *at;
    size_t size;
    unsigned char fill;
};

static uint64_t state;

// SplitMix64: https://prng.di.unimi.it/splitmix64.c
static uint64_t next_random(void) {
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static bool is_filled(const struct block *block, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (block->at[i] != block->fill) {
            return false;
        }
    }
    return true;
}

static void fill(struct block *block, unsigned char *at, size_t size) {
    *block = (struct block){at, size, (unsigned char)next_random()};
    memset(at, block->fill, size);
}

// One random step with one of the blocks. False when something is wrong.
static bool step(struct block *block) {
    size_t size = next_random() % (next_random() % 8 == 0 ? 20000 : 200);
    unsigned char *at;
    bool kept = block->at == NULL || is_filled(block, block->size);
    switch (block->at == NULL ? next_random() % 2 : 2 + next_random() % 2) {
        case 0:
            at = memory_malloc(size);
            break;
        case 1:
            at = memory_calloc(size, 1);
            for (size_t i = 0; at != NULL && i < size; i++) {
                kept = kept && at[i] == 0;
            }
            break;
        case 2:
            at = memory_realloc(block->at, size);
            if (at == NULL) {
                return kept && is_filled(block, block->size);  // Refused: the old block is still there.
            }
            block->at = at;
            kept = kept && is_filled(block, size < block->size ? size : block->size);
            break;
        default:
            memory_free(block->at);
            *block = (struct block){0};
            return kept;
    }
    if (at != NULL) {
        fill(block, at, size);
    }
    return kept && (uintptr_t)at % alignof(max_align_t) == 0;
}

static void random_steps(struct box *box) {
    static struct block blocks[BLOCKS];
    (void)box;
    uint64_t seed = state = (uint64_t)time(NULL);
    row("seed %llu", (unsigned long long)seed);
    for (int i = 0; i < STEPS; i++) {
        if (!step(&blocks[next_random() % BLOCKS])) {
            EXPECT(false, "step %d", i);
            return;
        }
    }
    for (int i = 0; i < BLOCKS; i++) {
        EXPECT(blocks[i].at == NULL || is_filled(&blocks[i], blocks[i].size), "block %d", i);
    }
}

static void bounds(struct box *box) {
    (void)box;
    used = 0;
    row("more than everything");
    EXPECT(memory_malloc(SIZE_MAX) == NULL && errno == ENOMEM, "SIZE_MAX");
    EXPECT(memory_malloc(MEMORY_MAX) == NULL && memory_malloc(MEMORY_MAX + 1) == NULL, "no room for its head");
    EXPECT(memory_calloc(SIZE_MAX / 2, 3) == NULL && errno == ENOMEM, "an overflow");
    EXPECT(used == 0, "%zu bytes used", used);
    row("everything, once");
    void *all = memory_malloc(MEMORY_MAX - sizeof(struct head));
    EXPECT(all != NULL && memory_malloc(0) == NULL, "%p", all);
    EXPECT(memory_realloc(all, MEMORY_MAX) == NULL, "it grew");
    memory_free(all);
    row("the newest block grows in its place and is given back");
    void *first = memory_malloc(1);
    void *second = memory_malloc(1);
    EXPECT(memory_realloc(second, 1 << 20) == second && memory_realloc(first, 100) != first, "moved");
    size_t before = used;
    memory_free(memory_malloc(1000));
    EXPECT(used == before, "%zu bytes", used - before);
    row("NULL");
    memory_free(NULL);
    EXPECT(memory_realloc(NULL, 5) != NULL, "realloc");
}

const struct test memory_tests[] = {
    {"random_steps", random_steps, false},
    {"bounds", bounds, false},
    {0},
};
