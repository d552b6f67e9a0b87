/* The report of the self-test: JSON, one object per line, written as soon as it is known.
 *
 * Each line has a "part", which says what it is about. A line with "ok" is a check. The last line has the
 * number of lines before it, so that a reader notices what was lost.
 */
#ifndef SELFTEST_REPORT_H
#define SELFTEST_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Begins a line. */
void report_begin(const char *part);

/* Add an entry to the line. `text` needs no escapes. */
void report_text(const char *name, const char *text);
void report_number(const char *name, uint32_t number);
void report_hex(const char *name, uint32_t word);
void report_flag(const char *name, bool is_set);

/* Sorts values, at least one, and adds their minimum, median and maximum. */
void report_spread(uint32_t values[], size_t n_values);

/* Adds whether a check was passed, and counts it. */
void report_check(bool is_passed);

/* Ends the line and prints it. */
void report_end(void);

/* Prints the last line, and returns the number of failed checks. */
uint32_t report_finish(void);

#endif
