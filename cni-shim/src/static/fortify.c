// Two functions that Debian's libnghttp2.a asks for, because it is compiled with _FORTIFY_SOURCE against
// glibc, and that musl does not have. The linker tells when there are more: nothing else differs between
// the two as far as these libraries go, which know memory, strings, qsort and clock_gettime alone.
#include <stdarg.h>
#include <stdio.h>

int __vsnprintf_chk(char *out, size_t size, int flag, size_t room, const char *format, va_list args);
int __fprintf_chk(FILE *out, int flag, const char *format, ...);

int __vsnprintf_chk(char *out, size_t size, int flag, size_t room, const char *format, va_list args) {
    (void)flag;
    return vsnprintf(out, size < room ? size : room, format, args);
}

int __fprintf_chk(FILE *out, int flag, const char *format, ...) {
    va_list args;
    (void)flag;
    va_start(args, format);
    int written = vfprintf(out, format, args);
    va_end(args);
    return written;
}
