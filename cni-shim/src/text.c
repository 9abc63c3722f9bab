// Growing byte buffer, UTF-8 and JSON escaping. See text.h.
#include "text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text text_with_limit(size_t max) {
    return (struct text){.max = max};
}

bool text_add(struct text *t, const void *bytes, size_t len) {
    if (t->failed || len > t->max - t->len) {
        t->failed = true;
        return false;
    }
    if (len > t->cap - t->len) {
        size_t cap = t->cap == 0 ? 256 : t->cap;
        while (cap < t->len + len) {
            cap *= 2;
        }
        cap = cap < t->max ? cap : t->max;
        char *data = realloc(t->data, cap);
        if (data == NULL) {
            t->failed = true;
            return false;
        }
        t->data = data;
        t->cap = cap;
    }
    if (len > 0) {
        memcpy(t->data + t->len, bytes, len);
        t->len += len;
    }
    return true;
}

bool text_add_string(struct text *t, const char *s) {
    return text_add(t, s, strlen(s));
}

void text_free(struct text *t) {
    free(t->data);
    *t = text_with_limit(t->max);
}

// The bounds on the second byte are those of RFC 3629 section 4; they exclude overlong forms, surrogates
// and code points past U+10FFFF.
size_t text_utf8_length(const char *bytes, size_t len) {
    const unsigned char *s = (const unsigned char *)bytes;
    unsigned char first = len > 0 ? s[0] : 0xFF;
    if (first < 0x80) {
        return 1;
    }
    size_t need = first >= 0xC2 && first <= 0xDF ? 2 : (first & 0xF0) == 0xE0 ? 3 : first >= 0xF0 && first <= 0xF4 ? 4 : 0;
    if (need == 0 || need > len) {
        return 0;
    }
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < need; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return need;
}

bool text_is_utf8(const char *s, size_t len) {
    while (len > 0) {
        size_t n = text_utf8_length(s, len);
        if (n == 0) {
            return false;
        }
        s += n;
        len -= n;
    }
    return true;
}

bool text_add_json(struct text *t, const char *s, size_t len) {
    text_add(t, "\"", 1);
    for (const char *at = s; len > 0;) {
        size_t n = text_utf8_length(at, len);
        if (n == 0) {
            text_add_string(t, "\\ufffd");
            n = 1;
        } else if (*at == '"' || *at == '\\') {
            char escaped[2] = {'\\', *at};
            text_add(t, escaped, 2);
        } else if ((unsigned char)*at < 0x20 || *at == 0x7F) {
            char escaped[8];
            snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)*at);
            text_add_string(t, escaped);
        } else {
            text_add(t, at, n);
        }
        at += n;
        len -= n;
    }
    return text_add(t, "\"", 1);
}
