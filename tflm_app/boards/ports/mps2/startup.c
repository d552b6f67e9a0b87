/* Start-up of the MPS2 machines: the vector table, and the arguments of main.
 *
 * Source: Armv7-M Architecture Reference Manual, sections B1.5.2-3 (vector table).
 */
#include <string.h>

#include "board.h"
#include "reset.h"
#include "semihosting.h"

int main(int argc, char **argv);

#define MAX_ARGUMENTS 8
#define COMMAND_LINE_BYTES 256

/* Splits the command line at blanks, in place; returns the number of words. */
static int split_words(char *text, char **words) {
    int n_words = 0;
    while (n_words < MAX_ARGUMENTS) {
        text += strspn(text, " ");
        if (*text == '\0') {
            break;
        }
        words[n_words++] = text;
        text += strcspn(text, " ");
        if (*text != '\0') {
            *text++ = '\0';
        }
    }
    return n_words;
}

void board_run(void) {
    board_init();
    static char command_line[COMMAND_LINE_BYTES];
    static char *arguments[MAX_ARGUMENTS + 1];
    const uintptr_t parameters[] = {(uintptr_t)command_line, sizeof command_line - 1};
    if (semihosting_call(SEMIHOSTING_GET_CMDLINE, parameters) != 0) {
        command_line[0] = '\0';
    }
    board_exit(main(split_words(command_line, arguments), arguments));
}

/* No interrupt is ever enabled, so every exception is a fault. */
void board_fault(void) {
    board_print("error: the firmware met a processor fault\n");
    board_exit(70);
}

/* The initial stack pointer, then the handlers of exceptions 1 to 15, beginning with reset. */
__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
    [0] = (uintptr_t)link_stack_end,
    [1] = (uintptr_t)board_reset,
    [2 ... 15] = (uintptr_t)cortex_m_fault,
};
