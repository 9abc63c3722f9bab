// Characters of a string in JSON text. See character.h.
#include "character.h"

#include <string.h>

static int hex_value(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int character_hex4(const char *s) {
    int unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(s[i]);
        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    return unit;
}

bool character_is_high(int unit) {
    return unit >= 0xD800 && unit <= 0xDBFF;
}

bool character_is_low(int unit) {
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

int character_next(const char **at) {
    static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const unsigned char *s = (const unsigned char *)*at;
    if (*s == '"') {
        return -1;
    }
    if (*s < 0x80 && *s != '\\') {
        *at += 1;
        return *s;
    }
    if (*s == '\\' && s[1] == 'u') {
        int unit = character_hex4(*at + 2);
        *at += character_is_high(unit) ? 12 : 6;
        return character_is_high(unit) ? 0x10000 + (unit - 0xD800) * 0x400 + (character_hex4(*at - 4) - 0xDC00) : unit;
    }
    if (*s == '\\') {
        *at += 2;
        return meanings[strchr(escapes, s[1]) - escapes];
    }
    int len = *s < 0xE0 ? 2 : *s < 0xF0 ? 3 : 4;
    int character = *s & (0x7F >> len);
    for (int i = 1; i < len; i++) {
        character = character * 64 + (s[i] & 0x3F);
    }
    *at += len;
    return character;
}
