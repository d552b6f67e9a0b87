/* Output of the applications that read and write files: one line of JSON, or one line with the error. */
#ifndef APPS_REPORT_H
#define APPS_REPORT_H

#include <stdint.h>

/* Prints a JSON entry, "name": number, followed by the text `after`. */
void report_entry(const char *name, uint64_t number, const char *after);

/* Prints an error and the path or argument that caused it; returns 2, the exit status for bad input. */
int report_failure(const char *what, const char *path);

#endif
