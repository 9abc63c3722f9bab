// Values in a JSON text. See member.h.
#include "member.h"

#include <string.h>

#include "character.h"

struct place {
    const char *at;
    const char *end;
};

static void skip_space(struct place *p) {
    while (p->at < p->end && strchr(" \t\r\n", *p->at) != NULL) {
        p->at++;
    }
}

// The end of the string, object, array, number or word that starts at s.
static const char *skip_value(const char *s, const char *end) {
    int depth = 0;
    do {
        if (*s == '"') {
            for (s++; *s != '"'; s++) {
                s += *s == '\\';
            }
        }
        depth += (*s == '{' || *s == '[') - (*s == '}' || *s == ']');
        s++;
    } while (depth > 0);
    if (s[-1] != '"' && s[-1] != '}' && s[-1] != ']') {
        while (s < end && strchr(",}] \t\r\n", *s) == NULL) {
            s++;
        }
    }
    return s;
}

static struct slice slice_at(struct place *p) {
    skip_space(p);
    const char *end = skip_value(p->at, p->end);
    struct slice slice = {.at = p->at, .len = (size_t)(end - p->at)};
    p->at = end;
    skip_space(p);
    return slice;
}

struct slice member_value(const char *bytes, size_t len) {
    struct place p = {.at = bytes, .end = bytes + len};
    return slice_at(&p);
}

bool member_is_object(struct slice value) {
    return value.at != NULL && *value.at == '{';
}

bool member_is_string(struct slice value) {
    return value.at != NULL && *value.at == '"';
}

bool member_next(struct slice *rest, struct slice *key, struct slice *value) {
    struct place p = {.at = rest->at, .end = rest->at + rest->len};
    p.at++;  // The bracket that opens the object, or the comma behind the last member.
    skip_space(&p);
    if (p.at >= p.end || *p.at == '}') {
        return false;
    }
    *key = slice_at(&p);
    p.at++;  // The colon.
    *value = slice_at(&p);
    *rest = (struct slice){.at = p.at, .len = (size_t)(p.end - p.at)};
    return true;
}

static size_t utf8_encode(int character, char out[4]) {
    static const int firsts[] = {0, 0, 0xC0, 0xE0, 0xF0};
    if (character < 0x80) {
        out[0] = (char)character;
        return 1;
    }
    size_t len = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (character & 0x3F));
        character >>= 6;
    }
    out[0] = (char)(firsts[len] | character);
    return len;
}

size_t member_decode(struct slice string, char *out, size_t size) {
    const char *at = string.at + 1;
    size_t len = 0;
    size_t written = 0;
    for (int c; (c = character_next(&at)) >= 0;) {
        char bytes[4];
        size_t n = utf8_encode(c, bytes);
        if (written == len && written + n < size) {
            memcpy(out + written, bytes, n);
            written += n;
        }
        len += n;
    }
    out[written] = '\0';
    return len;
}

bool member_equals(struct slice string, const char *ascii) {
    const char *at = string.at + 1;
    while (*ascii != '\0') {
        if (character_next(&at) != *ascii++) {
            return false;
        }
    }
    return character_next(&at) < 0;
}
