/* Parses the numeric arguments of the applications. */
#ifndef APPS_ARGUMENTS_H
#define APPS_ARGUMENTS_H

#include <stddef.h>

/* Returns the decimal number at the start of `text`, or 0 if there is none. */
static inline size_t parse_number(const char *text) {
    size_t number = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        number = 10 * number + (size_t)(*text - '0');
    }
    return number;
}

#endif
