// A strict check of JSON text (RFC 8259), which builds nothing. Its memory is 16 bytes for each key of the
// objects that are open at one time.
#ifndef PODWIRE_SCAN_H
#define PODWIRE_SCAN_H

#include <stdbool.h>
#include <stddef.h>

enum { SCAN_DEPTH_MAX = 32, SCAN_NUMBER_MAX = 32 };

// What is wrong with a text, and where; lines and columns (in bytes) count from 1.
struct scan_fault {
    const char *reason;
    size_t line;
    size_t column;
};

// True when the bytes are one JSON value, between any white space: UTF-8, objects and arrays nested at
// most SCAN_DEPTH_MAX deep, no object with the same key twice (escapes decoded), no escaped half of a
// surrogate pair, no number longer than SCAN_NUMBER_MAX or with an exponent of more than three digits.
bool scan_check(const char *bytes, size_t len, struct scan_fault *fault);

#endif
