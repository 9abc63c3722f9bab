// Growing byte buffer with a ceiling, UTF-8 check, JSON string escaping. No I/O.
#ifndef PODWIRE_TEXT_H
#define PODWIRE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

// Bytes that grow up to `max`. After one refused or failed growth `failed` stays true and
// nothing more is added, so a caller may check once at the end.
struct text {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
    bool failed;
};

// An empty text that may hold at most max bytes.
struct text text_with_limit(size_t max);

// Appends len bytes. False when the limit or memory is reached; see `failed`.
bool text_add(struct text *t, const void *bytes, size_t len);

// Appends a C string.
bool text_add_string(struct text *t, const char *s);

// Appends len bytes as a quoted JSON string (RFC 8259 section 7): quotes, backslashes and control
// characters are escaped, a byte that is not UTF-8 becomes U+FFFD.
bool text_add_json(struct text *t, const char *s, size_t len);

// Frees the bytes; the text is empty afterwards and may be used again.
void text_free(struct text *t);

// Length of the well-formed UTF-8 sequence that starts the len bytes, or 0.
size_t text_utf8_length(const char *s, size_t len);

// True when all len bytes are well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates).
bool text_is_utf8(const char *s, size_t len);

#endif
