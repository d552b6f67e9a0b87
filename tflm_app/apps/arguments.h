/* Numbers of a command line. */
#ifndef APPS_ARGUMENTS_H
#define APPS_ARGUMENTS_H

#include <stddef.h>

/* Returns the number that a text of decimal digits begins with, 0 without one. */
static inline size_t parse_number(const char *text) {
    size_t number = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        number = 10 * number + (size_t)(*text - '0');
    }
    return number;
}

#endif
