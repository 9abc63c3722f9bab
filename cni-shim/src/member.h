// Values in a JSON text, and the members of its objects. No text may come here that scan_check has not
// accepted.
#ifndef PODWIRE_MEMBER_H
#define PODWIRE_MEMBER_H

#include <stdbool.h>
#include <stddef.h>

// The text of one value, with its quotes or brackets. Absent when at is NULL.
struct slice {
    const char *at;
    size_t len;
};

// The value in the text, without the white space around it.
struct slice member_value(const char *bytes, size_t len);

bool member_is_object(struct slice value);
bool member_is_string(struct slice value);

// One member of an object after the other: false when there are no more. `rest` starts as the object.
bool member_next(struct slice *rest, struct slice *key, struct slice *value);

// Decodes a string into out, which gets at most size - 1 bytes, cut between two characters, and a NUL.
// Returns the length of the whole string; it may contain U+0000.
size_t member_decode(struct slice string, char *out, size_t size);

// True when the string, decoded, is this text, which must be ASCII.
bool member_equals(struct slice string, const char *ascii);

#endif
