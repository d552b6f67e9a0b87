/* How the applications that end say what they did: a line of JSON, or of what went wrong. */
#ifndef APPS_REPORT_H
#define APPS_REPORT_H

#include <stdint.h>

/* Prints a JSON entry, "name": number, and `after` behind it. */
void report_entry(const char *name, uint64_t number, const char *after);

/* Prints an error with the path that it is about; returns the exit status of bad input, 2. */
int report_failure(const char *what, const char *path);

#endif
