// The check of a JSON text. See scan.h.
#include "scan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "character.h"
#include "text.h"

// A key of an object: its place, the opening quote, and a hash of what it says.
struct key {
    uint64_t hash;
    const char *at;
};

// The text ends with `end`, not with a NUL.
struct reader {
    const char *start;
    const char *at;
    const char *end;
    const char *reason;  // Set by the first fault, which is at `at`.
    struct key *keys;    // Of all objects that are open: each one's behind its parent's.
    size_t key_count;
    size_t key_cap;
};

static bool read_value(struct reader *r, int depth);

static bool fail(struct reader *r, const char *reason) {
    r->reason = r->at == r->end ? "ends too early" : reason;
    return false;
}

static bool fail_at(struct reader *r, const char *at, const char *reason) {
    r->at = at;
    r->reason = reason;
    return false;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static void skip_space(struct reader *r) {
    while (r->at < r->end && is_space(*r->at)) {
        r->at++;
    }
}

static bool take(struct reader *r, char c) {
    bool there = r->at < r->end && *r->at == c;
    r->at += there;
    return there;
}

// Behind "\u": four digits, and with the first half of a surrogate pair the second one.
static bool read_unicode_escape(struct reader *r) {
    int unit = r->end - r->at >= 4 ? character_hex4(r->at) : -1;
    if (character_is_high(unit) && r->end - r->at >= 10 && r->at[4] == '\\' && r->at[5] == 'u' &&
        character_is_low(character_hex4(r->at + 6))) {
        r->at += 10;
        return true;
    }
    if (unit < 0 || character_is_high(unit) || character_is_low(unit)) {
        return fail(r, "invalid escape");
    }
    r->at += 4;
    return true;
}

static bool read_escape(struct reader *r) {
    if (take(r, 'u')) {
        return read_unicode_escape(r);
    }
    if (r->at == r->end || *r->at == '\0' || strchr("\"\\/bfnrt", *r->at) == NULL) {
        return fail(r, "invalid escape");
    }
    r->at++;
    return true;
}

static bool read_string(struct reader *r) {
    if (!take(r, '"')) {
        return fail(r, "invalid syntax");
    }
    while (!take(r, '"')) {
        if (take(r, '\\')) {
            if (!read_escape(r)) {
                return false;
            }
            continue;
        }
        if (r->at == r->end || (unsigned char)*r->at < 0x20) {
            return fail(r, "invalid syntax");
        }
        size_t len = text_utf8_length(r->at, (size_t)(r->end - r->at));
        if (len == 0) {
            return fail_at(r, r->at, "invalid UTF-8");
        }
        r->at += len;
    }
    return true;
}

static size_t read_digits(struct reader *r) {
    const char *first = r->at;
    while (r->at < r->end && is_digit(*r->at)) {
        r->at++;
    }
    return (size_t)(r->at - first);
}

// Nobody here computes with a number. The bounds keep away those with which others cannot.
static bool read_number(struct reader *r) {
    const char *first = r->at;
    size_t exponent = 0;
    take(r, '-');
    if (!take(r, '0') && read_digits(r) == 0) {
        return fail(r, "invalid syntax");
    }
    if (take(r, '.') && read_digits(r) == 0) {
        return fail(r, "invalid syntax");
    }
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+')) {
            take(r, '-');
        }
        exponent = read_digits(r);
        if (exponent == 0) {
            return fail(r, "invalid syntax");
        }
    }
    bool bounded = r->at - first <= SCAN_NUMBER_MAX && exponent <= 3;
    return bounded || fail_at(r, first, "a number is too large");
}

static bool read_word(struct reader *r) {
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t len = strlen(words[i]);
        if ((size_t)(r->end - r->at) >= len && memcmp(r->at, words[i], len) == 0) {
            r->at += len;
            return true;
        }
    }
    return fail(r, "invalid syntax");
}

static int compare_strings(const char *a, const char *b) {
    for (a++, b++;;) {
        int x = character_next(&a);
        int y = character_next(&b);
        if (x != y || x < 0) {
            return (x > y) - (x < y);
        }
    }
}

// FNV-1a over characters. Who makes keys with one hash makes comparisons slow, no more than that.
static uint64_t hash_string(const char *string) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    string++;
    for (int c; (c = character_next(&string)) >= 0;) {
        hash = (hash ^ (uint64_t)c) * UINT64_C(0x100000001b3);
    }
    return hash;
}

// Equal keys stand side by side, in the order of their places. Nearly always the hashes decide.
static int compare_keys(const void *a, const void *b) {
    const struct key *x = a;
    const struct key *y = b;
    if (x->hash != y->hash) {
        return x->hash > y->hash ? 1 : -1;
    }
    int order = compare_strings(x->at, y->at);
    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

// Reads the key of a member and notes it.
static bool read_key(struct reader *r) {
    const char *at = r->at;
    if (!read_string(r)) {
        return false;
    }
    if (r->key_count == r->key_cap) {
        size_t cap = r->key_cap == 0 ? 64 : r->key_cap * 2;
        struct key *keys = realloc(r->keys, cap * sizeof *keys);
        if (keys == NULL) {
            return fail_at(r, at, "out of memory");
        }
        r->keys = keys;
        r->key_cap = cap;
    }
    r->keys[r->key_count++] = (struct key){.hash = hash_string(at), .at = at};
    return true;
}

// Ends an object whose keys start at number `first`.
static bool keys_differ(struct reader *r, size_t first) {
    struct key *keys = r->keys + first;
    size_t count = r->key_count - first;
    if (count > 1) {
        qsort(keys, count, sizeof *keys, compare_keys);
        for (size_t i = 1; i < count; i++) {
            if (keys[i - 1].hash == keys[i].hash && compare_strings(keys[i - 1].at, keys[i].at) == 0) {
                return fail_at(r, keys[i].at, "duplicate key");
            }
        }
    }
    r->key_count = first;
    return true;
}

static bool read_object(struct reader *r, int depth) {
    size_t first = r->key_count;
    skip_space(r);
    if (take(r, '}')) {
        return true;
    }
    do {
        skip_space(r);
        if (!read_key(r)) {
            return false;
        }
        skip_space(r);
        if (!take(r, ':')) {
            return fail(r, "invalid syntax");
        }
        if (!read_value(r, depth)) {
            return false;
        }
    } while (take(r, ','));
    return take(r, '}') ? keys_differ(r, first) : fail(r, "invalid syntax");
}

static bool read_array(struct reader *r, int depth) {
    skip_space(r);
    if (take(r, ']')) {
        return true;
    }
    do {
        if (!read_value(r, depth)) {
            return false;
        }
    } while (take(r, ','));
    return take(r, ']') || fail(r, "invalid syntax");
}

// A value at this depth, with the white space on both sides of it.
static bool read_value(struct reader *r, int depth) {
    bool good;
    skip_space(r);
    if (r->at == r->end) {
        return fail(r, "ends too early");
    }
    char c = *r->at;
    if (c == '{' || c == '[') {
        if (depth == SCAN_DEPTH_MAX) {
            return fail(r, "nested deeper than 32");
        }
        r->at++;
        good = c == '{' ? read_object(r, depth + 1) : read_array(r, depth + 1);
    } else {
        good = c == '"' ? read_string(r) : c == '-' || is_digit(c) ? read_number(r) : read_word(r);
    }
    if (good) {
        skip_space(r);
    }
    return good;
}

static void place_fault(const struct reader *r, struct scan_fault *fault) {
    const char *line_start = r->start;
    *fault = (struct scan_fault){.reason = r->reason, .line = 1};
    for (const char *s = r->start; s < r->at; s++) {
        if (*s == '\n') {
            fault->line++;
            line_start = s + 1;
        }
    }
    fault->column = (size_t)(r->at - line_start) + 1;
}

bool scan_check(const char *bytes, size_t len, struct scan_fault *fault) {
    struct reader r = {.start = bytes, .at = bytes, .end = bytes + len};
    bool good = read_value(&r, 0);
    if (good && r.at != r.end) {
        good = fail(&r, "text after the end of the value");
    }
    if (!good) {
        place_fault(&r, fault);
    }
    free(r.keys);
    return good;
}
