// malloc for a process that makes one call and ends: all of its memory is one array, and nothing but the
// newest block is ever given back. So no input, be it from the runtime or from the daemon, makes the process
// larger than this, and small blocks share their pages: each page that is touched costs as much as ten
// system calls. Only in the shipped binary; the sanitizers bring their own.
#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// A configuration, the request with it, a reply and what protobuf-c makes of it, 1 to 4 MiB each.
enum { MEMORY_MAX = 12 * 1024 * 1024 };

// Before each block.
struct head {
    alignas(max_align_t) size_t size;
};

static alignas(max_align_t) unsigned char memory[MEMORY_MAX];
static size_t used;

static struct head *head_of(void *block) {
    return (struct head *)block - 1;
}

static bool is_newest(void *block) {
    return (unsigned char *)block + head_of(block)->size == memory + used;
}

// The size a block gets, a multiple of what every type is aligned to; 0 when it is more than everything.
static size_t rounded(size_t size) {
    size_t unit = alignof(max_align_t);
    size_t units = size == 0 ? 1 : size / unit + (size % unit != 0);
    return size > MEMORY_MAX ? 0 : units * unit;
}

static void *exhausted(void) {
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t size) {
    size_t whole = sizeof(struct head) + rounded(size);
    if (rounded(size) == 0 || whole > MEMORY_MAX - used) {
        return exhausted();
    }
    struct head *head = (struct head *)(memory + used);
    head->size = rounded(size);
    used += whole;
    return head + 1;
}

void free(void *block) {
    if (block != NULL && is_newest(block)) {
        used = (size_t)((unsigned char *)head_of(block) - memory);
    }
}

void *calloc(size_t count, size_t size) {
    if (size != 0 && count > SIZE_MAX / size) {
        return exhausted();
    }
    void *block = malloc(count * size);
    return block == NULL ? NULL : memset(block, 0, count * size);  // It may have been used before.
}

void *realloc(void *block, size_t size) {
    if (block == NULL) {
        return malloc(size);
    }
    size_t old = head_of(block)->size;
    if (size <= old) {
        return block;
    }
    if (is_newest(block) && rounded(size) != 0 && rounded(size) - old <= MEMORY_MAX - used) {
        used += rounded(size) - old;
        head_of(block)->size = rounded(size);
        return block;
    }
    void *larger = malloc(size);
    return larger == NULL ? NULL : memcpy(larger, block, old);
}
