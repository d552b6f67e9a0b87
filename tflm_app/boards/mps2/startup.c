/* From reset to main on the MPS2 machines: vector table, memory, floating point, arguments.
 *
 * Source: Armv7-M Architecture Reference Manual, sections B1.5.2-3 (vector table), B1.5.5 (reset) and
 * B3.2.20 (CPACR); Armv6-M and Armv8-M agree in what is used here.
 */
#include <string.h>

#include "board.h"
#include "semihosting.h"

/* Set by sections.ld; only their addresses mean anything. */
extern uint32_t link_data_load[], link_data_start[], link_data_end[];
extern uint32_t link_bss_start[], link_bss_end[];
extern uint32_t link_stack_start[], link_stack_end[];
extern void (*const link_init_array_start[])(void);
extern void (*const link_init_array_end[])(void);

int main(int argc, char **argv);

#define STACK_PAINT 0xA5A5A5A5u
#define MAX_ARGUMENTS 8
#define COMMAND_LINE_BYTES 256

static void paint_stack(void) {
    /* Everything below this frame is unused: leave a margin for what the call below may push. */
    uint32_t *const limit = (uint32_t *)__builtin_frame_address(0) - 16;
    for (uint32_t *word = link_stack_start; word < limit; word++) {
        *word = STACK_PAINT;
    }
}

size_t board_stack_used(void) {
    const uint32_t *word = link_stack_start;
    while (word < link_stack_end && *word == STACK_PAINT) {
        word++;
    }
    return (size_t)(link_stack_end - word) * sizeof *word;
}

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

static void run_main(void) {
    static char command_line[COMMAND_LINE_BYTES];
    static char *arguments[MAX_ARGUMENTS + 1];
    const uintptr_t parameters[] = {(uintptr_t)command_line, sizeof command_line - 1};
    if (semihosting_call(SEMIHOSTING_GET_CMDLINE, parameters) != 0) {
        command_line[0] = '\0';
    }
    board_exit(main(split_words(command_line, arguments), arguments));
}

void board_reset(void) {
#if defined(__ARM_FP)
    /* CPACR: full access to coprocessors 10 and 11, the FPU, before any instruction may use it. */
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
    memcpy(link_data_start, link_data_load, (size_t)((char *)link_data_end - (char *)link_data_start));
    memset(link_bss_start, 0, (size_t)((char *)link_bss_end - (char *)link_bss_start));
    paint_stack();
    for (void (*const *construct)(void) = link_init_array_start; construct < link_init_array_end;
         construct++) {
        (*construct)(); /* objects of C++, if there are any */
    }
    board_init();
    run_main();
}

/* No interrupt is ever enabled, so whatever comes here is a fault. */
static void fault(void) {
    board_print("error: the firmware met a processor fault\n");
    board_exit(70);
}

/* Initial stack pointer, then the handlers of exceptions 1 to 15, reset first. */
__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
    (uintptr_t)link_stack_end, (uintptr_t)board_reset, (uintptr_t)fault, (uintptr_t)fault,
    (uintptr_t)fault,          (uintptr_t)fault,       (uintptr_t)fault, (uintptr_t)fault,
    (uintptr_t)fault,          (uintptr_t)fault,       (uintptr_t)fault, (uintptr_t)fault,
    (uintptr_t)fault,          (uintptr_t)fault,       (uintptr_t)fault, (uintptr_t)fault,
};
