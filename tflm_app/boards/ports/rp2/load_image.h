/* The end of both loaders, in assembly: copies the image from flash to RAM and starts it by its vector table,
 * as a reset would. It must not use a stack or call a function, because it runs where the boot ROM put it.
 *
 * Source: Armv6-M Architecture Reference Manual, sections B1.5.5 (reset) and B3.2.5 (VTOR).
 */
#ifndef LOAD_IMAGE_H
#define LOAD_IMAGE_H

/* clang-format off */
#define LOAD_IMAGE_AND_START         \
    "ldr r0, =link_image_load\n"     \
    "ldr r1, =link_image_start\n"    \
    "ldr r2, =link_image_end\n"      \
    "1:\n"                           \
    "ldmia r0!, {r3}\n"              \
    "stmia r1!, {r3}\n"              \
    "cmp r1, r2\n"                   \
    "blo 1b\n"                       \
    "ldr r0, =link_image_start\n"    \
    "ldr r1, =0xE000ED08\n" /* VTOR */ \
    "str r0, [r1]\n"                 \
    "ldr r1, [r0]\n"                 \
    "msr msp, r1\n"                  \
    "ldr r0, [r0, #4]\n"             \
    "bx r0\n"                        \
    ".ltorg\n"
/* clang-format on */

#endif
