#include "apps/selftest/report.h"

#include "apps/selftest/selftest_board.h"

#define LINE_BYTES 320 /* more than any line takes; a longer one is cut off, so that no reader accepts it */

static char line[LINE_BYTES];
static uint32_t n_used;
static uint32_t n_lines, n_checks, n_failed;

static void put(const char *text) {
    for (; *text != '\0' && n_used + 1 < LINE_BYTES; text++) {
        line[n_used++] = *text;
    }
    line[n_used] = '\0';
}

static void put_name(const char *name) {
    put(", \"");
    put(name);
    put("\": ");
}

static void put_string(const char *text) {
    put("\"");
    put(text);
    put("\"");
}

void report_begin(const char *part) {
    n_used = 0;
    put("{\"part\": ");
    put_string(part);
}

void report_text(const char *name, const char *text) {
    put_name(name);
    put_string(text);
}

void report_number(const char *name, uint32_t number) {
    char digits[11];
    char *text = digits + sizeof digits - 1;
    *text = '\0';
    do {
        *--text = (char)('0' + number % 10u);
        number /= 10u;
    } while (number != 0);
    put_name(name);
    put(text);
}

void report_hex(const char *name, uint32_t word) {
    char digits[] = "0x00000000";
    for (uint32_t i = 0; i < 8; i++) {
        digits[9 - i] = "0123456789abcdef"[word >> (4 * i) & 15u];
    }
    report_text(name, digits);
}

void report_flag(const char *name, bool is_set) {
    put_name(name);
    put(is_set ? "true" : "false");
}

void report_spread(uint32_t values[], size_t n_values) {
    for (size_t i = 1; i < n_values; i++) {
        const uint32_t value = values[i];
        size_t at = i;
        for (; at > 0 && values[at - 1] > value; at--) {
            values[at] = values[at - 1];
        }
        values[at] = value;
    }
    report_number("min", values[0]);
    report_number("median", values[n_values / 2]);
    report_number("max", values[n_values - 1]);
}

void report_check(bool is_passed) {
    report_flag("ok", is_passed);
    n_checks++;
    n_failed += !is_passed;
}

void report_end(void) {
    put("}\n");
    selftest_write(line);
    n_lines++;
}

uint32_t report_finish(void) {
    report_begin("end");
    report_number("lines", n_lines);
    report_number("checks", n_checks);
    report_number("failed", n_failed);
    report_end();
    return n_failed;
}
