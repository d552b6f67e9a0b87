/* The beginning of the flash of the RP2350: the structures that its boot ROM searches for, and a loader that
 * copies the image to RAM.
 *
 * The boot ROM configures the flash itself, searches its first 4 kB for an image definition, and starts the
 * image by the vector table at its beginning (RP2350 datasheet, sections 5.1 and 5.9).
 */
#include "load_image.h"

#include "reset.h"

/* clang-format off */
__attribute__((section(".boot"), naked, used)) void boot_load(void) {
    __asm__ volatile(
        "movs r0, #0\n"
        "msr msplim, r0\n" /* removes the stack limit that the boot ROM may have set */
        LOAD_IMAGE_AND_START);
}
/* clang-format on */

__attribute__((section(".boot.first"), used)) static const struct {
    uintptr_t stack_end, entry;
    uint32_t image_definition[5]; /* section 5.9.5: the minimal one of an executable */
} boot_header = {
    (uintptr_t)link_stack_end,
    (uintptr_t)boot_load,
    {
        0xFFFFDED3u, /* PICOBIN_BLOCK_MARKER_START */
        0x10210142u, /* IMAGE_TYPE, 1 word: executable, secure, Arm, RP2350 */
        0x000001FFu, /* LAST, after 1 word */
        0,           /* the next block is this one: there is no other */
        0xAB123579u, /* PICOBIN_BLOCK_MARKER_END */
    },
};
