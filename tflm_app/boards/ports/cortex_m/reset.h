/* The part of the start-up code that all boards with a Cortex-M share.
 *
 * The vector table of a board points to `board_reset`. It enables the FPU, fills .data and .bss, paints
 * the stack (for board_stack_used) and guards its end, calls the constructors of C++, and then calls
 * `board_run`, which each board implements: clocks, board_init, main.
 *
 * All faults point to `cortex_m_fault`, which calls `board_fault` on a stack of its own, because an overflow
 * of the stack is one of them.
 */
#ifndef RESET_H
#define RESET_H

#include <stdint.h>

#define CORTEX_M_REGISTER(address) (*(volatile uint32_t *)(address))

/* Defined by sections.ld; only their addresses are meaningful. */
extern uint32_t link_stack_guard[], link_stack_end[], link_unused_ram[], link_ram_end[];

/* Enables the FPU of the core that executes this, if it has one, before any instruction may use it. */
static inline void cortex_m_enable_fpu(void) {
#if defined(__ARM_FP)
    /* CPACR: full access to coprocessors 10 and 11. */
    CORTEX_M_REGISTER(0xE000ED88u) |= 0xFu << 20;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
}

/* Makes the core that executes this fault if its stack grows into the 256 bytes from `guard`, which is
 * aligned to 256 bytes: by its stack limit (Armv8-M), or by region 7 of its MPU, which forbids all access. An
 * MPU sees accesses only, so a function whose frame is larger than the guard may skip it. The frame of the
 * fault itself may not find room; the handler runs all the same, because it does not use this stack.
 *
 * Source: Armv8-M Architecture Reference Manual, section B3.21 (MSPLIM); Armv7-M and Armv6-M, section B3.5
 * (MPU_CTRL, MPU_RBAR, MPU_RASR). */
static inline void cortex_m_guard_stack(uint32_t guard[]) {
#if defined(__ARM_ARCH_8M_MAIN__)
    __asm__ volatile("msr msplim, %0" ::"r"((uintptr_t)guard + 256u));
#else
    CORTEX_M_REGISTER(0xE000ED9Cu) = (uint32_t)(uintptr_t)guard | 1u << 4 | 7u; /* RBAR: VALID, REGION */
    CORTEX_M_REGISTER(0xE000EDA0u) = 1u << 28 | 7u << 1 | 1u; /* RASR: XN, AP 0, 2^8 bytes, ENABLE */
    CORTEX_M_REGISTER(0xE000ED94u) = 5u;                      /* CTRL: PRIVDEFENA, ENABLE */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
}

void board_reset(void) __attribute__((noreturn));
void cortex_m_fault(void);
void board_fault(void) __attribute__((noreturn));
void board_run(void) __attribute__((noreturn));

#endif
