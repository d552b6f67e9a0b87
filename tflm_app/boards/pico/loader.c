/* The second boot stage of the RP2040: reads the flash, copies the image to RAM and starts it.
 *
 * The boot ROM copies the first 256 bytes of the flash to the end of SRAM, checks the CRC32 in the last four
 * of them, and jumps to the first (RP2040 datasheet, section 2.8.1).
 *
 * The flash is read only once, so the loader uses the mode that every flash chip supports: command 03h, one
 * bit at a time (section 4.10, SSI; EEPROM_READ is a read that begins with command and address). The core
 * still runs from the ring oscillator at about 6.5 MHz, and SCK at half of that, so 90 kB take about 0.4 s.
 */
#include "load_image.h"

/* clang-format off */
__attribute__((section(".boot.first"), naked, used)) void boot_load(void) {
    __asm__ volatile(
        "ldr r0, =0x18000000\n"     /* XIP_SSI_BASE */
        "movs r1, #0\n"
        "str r1, [r0, #0x08]\n"     /* SSIENR: off, as required for configuration */
        "movs r2, #2\n"
        "str r2, [r0, #0x14]\n"     /* BAUDR: SCK is clk_sys / 2 */
        "ldr r2, =0x001F0300\n"
        "str r2, [r0, #0x00]\n"     /* CTRLR0: DFS_32 31, TMOD EEPROM_READ: words of 32 bits */
        "str r1, [r0, #0x04]\n"     /* CTRLR1: NDF 0, one word per read */
        "ldr r2, =0x03000218\n"
        "movs r3, #0xF4\n"
        "str r2, [r0, r3]\n"        /* SPI_CTRLR0: XIP_CMD 03h, INST_L 8 bits, ADDR_L 6 * 4 bits, TRANS_TYPE 1C1A */
        "movs r1, #1\n"
        "str r1, [r0, #0x08]\n"     /* SSIENR: on */
        LOAD_IMAGE_AND_START);
}
/* clang-format on */
