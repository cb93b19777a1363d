/* tap: C tests that speak TAP (testanything.org). Each assertion has a name: a
 * sentence, printf-like, that states what is promised.
 */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

#define ok(condition, ...) tap_ok((condition) != 0, __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, ...) \
    tap_is_int((long long)(got), (long long)(want), __FILE__, __LINE__, __VA_ARGS__)
#define is_str(got, want, ...) \
    tap_is_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)

static inline void tap_say(int is_ok, const char *file, int line,
                           const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));
static inline int tap_ok(int is_ok, const char *file, int line,
                         const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static inline int tap_is_int(long long got, long long want, const char *file,
                             int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
static inline int tap_is_str(const char *got, const char *want,
                             const char *file, int line, const char *format,
                             ...) __attribute__((format(printf, 5, 6)));

static inline void tap_say(int is_ok, const char *file, int line,
                           const char *format, va_list args)
{
    printf("%sok %d - ", is_ok ? "" : "not ", ++tap_count);
    vprintf(format, args);
    printf("\n");
    if (!is_ok) {
        tap_failed++;
        printf("# at %s line %d\n", file, line);
    }
    fflush(stdout);
}

static inline int tap_ok(int is_ok, const char *file, int line,
                         const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tap_say(is_ok, file, line, format, args);
    va_end(args);
    return is_ok;
}

static inline int tap_is_int(long long got, long long want, const char *file,
                             int line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tap_say(got == want, file, line, format, args);
    va_end(args);
    if (got != want)
        printf("# got %lld, wanted %lld\n", got, want);
    return got == want;
}

static inline int tap_is_str(const char *got, const char *want,
                             const char *file, int line, const char *format,
                             ...)
{
    int same = got && want ? strcmp(got, want) == 0 : got == want;
    va_list args;

    va_start(args, format);
    tap_say(same, file, line, format, args);
    va_end(args);
    if (!same)
        printf("# got \"%s\", wanted \"%s\"\n", got ? got : "(NULL)",
               want ? want : "(NULL)");
    return same;
}

/* The plan, and the exit code of main. */
static inline int tap_end(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed > 254 ? 254 : tap_failed;
}

#endif
