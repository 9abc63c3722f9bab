// Characters of a string in JSON text, with their escapes.
#ifndef PODWIRE_CHARACTER_H
#define PODWIRE_CHARACTER_H

#include <stdbool.h>

// The number in the four digits of \uXXXX, or -1.
int character_hex4(const char *digits);

// The halves of a surrogate pair.
bool character_is_high(int unit);
bool character_is_low(int unit);

// The character at *at, which moves behind it; -1 at the closing quote. The string must be one that
// scan_check has accepted, and *at behind its opening quote.
int character_next(const char **at);

#endif
