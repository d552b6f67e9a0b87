#include "apps/report.h"

#include "board.h"

void report_entry(const char *name, uint64_t number, const char *after) {
    char digits[21];
    char *text = digits + sizeof digits - 1;
    *text = '\0';
    do {
        *--text = (char)('0' + number % 10u);
        number /= 10u;
    } while (number != 0);
    board_print("\"");
    board_print(name);
    board_print("\": ");
    board_print(text);
    board_print(after);
}

int report_failure(const char *what, const char *path) {
    board_print("error: ");
    board_print(what);
    board_print(" ");
    board_print(path);
    board_print("\n");
    return 2;
}
