/* The part of the start-up code that all boards with a Cortex-M share.
 *
 * The vector table of a board points to `board_reset`. It enables the FPU, fills .data, clears .bss, paints
 * the stack (for board_stack_used), calls the constructors of C++, and then calls `board_run`, which each
 * board implements: clocks, board_init, main.
 */
#ifndef RESET_H
#define RESET_H

#include <stdint.h>

/* Defined by sections.ld; only its address is meaningful. */
extern uint32_t link_stack_end[];

/* Enables the FPU of the core that executes this, if it has one, before any instruction may use it. */
static inline void cortex_m_enable_fpu(void) {
#if defined(__ARM_FP)
    /* CPACR: full access to coprocessors 10 and 11. */
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
}

void board_reset(void) __attribute__((noreturn));
void board_run(void) __attribute__((noreturn));

#endif
