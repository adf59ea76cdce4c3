/* interpose.c - the exported names, generated from calls.h.
 *
 * The C identifiers are not libc's names, only the assembler's are: so no header's declaration
 * (transparent unions, fortify wrappers, noreturn hints) can disagree with the table.
 */
#include "internal.h"

#define EXPORT(name) __asm__(#name) __attribute__((visibility("default")))

#define CALL(result, name, params, args)          \
    result export_##name params EXPORT(name);     \
    result export_##name params                   \
    {                                             \
        return minion_##name args;                \
    }

#define ALIAS(result, alias, name, params, args)  \
    result export_##alias params EXPORT(alias);   \
    result export_##alias params                  \
    {                                             \
        return minion_##name args;                \
    }

/* A buffer that is too small is libc's to complain about: it aborts. */
#define CHECKED(result, alias, name, params, args, passed, fits) \
    result export_##alias params EXPORT(alias);                  \
    result export_##alias params                                 \
    {                                                            \
        if (__builtin_expect(!(fits), 0))                        \
            return LIBC(alias) passed;                           \
        return minion_##name args;                               \
    }

#define VARIADIC(result, name, params, last, call) \
    result export_##name params EXPORT(name);      \
    result export_##name params                    \
    {                                              \
        va_list arguments;                         \
        va_start(arguments, last);                 \
        result made = minion_##call;               \
        va_end(arguments);                         \
        return made;                               \
    }

#define LEFT(name, reason)

#pragma GCC diagnostic ignored "-Wunused-parameter" /* the fortify level of __dprintf_chk */
#pragma GCC diagnostic ignored "-Wpedantic" /* "return f()" in the void ones of the table */
#include "calls.h"
