/* Source: Armv7-M Architecture Reference Manual, sections B1.5.5 (reset) and B3.2.20 (CPACR); Armv6-M and
 * Armv8-M agree on what is used here.
 */
#include "reset.h"

#include "board.h"

/* A section that is copied from where it is stored. */
typedef struct {
    const uint32_t *stored;
    volatile uint32_t *start; /* volatile, or the compiler would call memcpy, which copies single bytes */
    const volatile uint32_t *end;
} copy_t;

extern const copy_t link_copies_start[], link_copies_end[];
extern uint32_t link_bss_start[], link_bss_end[];
extern uint32_t link_stack_start[];
extern void (*const link_init_array_start[])(void);
extern void (*const link_init_array_end[])(void);

#define STACK_PAINT 0xA5A5A5A5u

static void paint_stack(void) {
    /* Everything below this frame is unused; the margin is for what the compiler may push here. */
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

static void fill_sections(void) {
    for (const copy_t *copy = link_copies_start; copy < link_copies_end; copy++) {
        const uint32_t *from = copy->stored;
        for (volatile uint32_t *to = copy->start; to < copy->end; to++) {
            *to = *from++;
        }
    }
    for (volatile uint32_t *word = link_bss_start; word < link_bss_end; word++) {
        *word = 0;
    }
}

/* clang-format off */
static uint32_t fault_stack[64] __attribute__((aligned(8), used));
__attribute__((naked)) void cortex_m_fault(void) {
    __asm__ volatile(
#if defined(__ARM_ARCH_8M_MAIN__)
        "movs r0, #0\n"
        "msr msplim, r0\n"
#endif
        "ldr r0, =fault_stack + 256\n" /* its end */
        "msr msp, r0\n"
        "ldr r0, =board_fault\n"
        "bx r0\n"
        ".ltorg\n");
}
/* clang-format on */

void board_reset(void) {
    cortex_m_enable_fpu();
    fill_sections();
    paint_stack();
    cortex_m_guard_stack(link_stack_guard);
    for (void (*const *construct)(void) = link_init_array_start; construct < link_init_array_end;
         construct++) {
        (*construct)(); /* C++ constructors, if any */
    }
    board_run();
}
