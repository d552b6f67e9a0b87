/* Memories and caches, set up before anything else runs. Weights stay in flash and are prefetched by the
 * decoder (decoder/decoder_kernel_dsp_loop.h), which is cheaper than 58 kB of RAM. The DMA buffers are in
 * SRAM1, which is not cached.
 *
 * Sources: RM0433 section 8.7 (AHB2ENR); ST's start-up of the chip (revision Y); Armv7-M Architecture
 * Reference Manual, sections B2.2.7 (cache maintenance) and B3.5 (MPU).
 */
#include "chip.h"
#include "stm32.h"

#define SRAM1_ENABLE (1u << 29)
#define AXI_SRAM_ISSUING REGISTER(0x51008108u) /* AXI_TARG7_FN_MOD */
#define MPU_RBAR REGISTER(0xE000ED9Cu)
#define MPU_RASR REGISTER(0xE000EDA0u)
/* RBAR: VALID, REGION. Region 7 guards the stack (reset.h). */
#define MPU_REGION(number) (1u << 4 | (number))
/* RASR: XN, no access, 2^32 bytes, ENABLE; SRD excludes the eighths 0 to 2 and 7. */
#define MPU_NOTHING_FROM_60000000_TO_E0000000 (1u << 28 | 0x87u << 8 | 31u << 1 | 1u)
#define MPU_UNCACHED_32_KB (1u << 28 | 3u << 24 | 1u << 19 | 14u << 1 | 1u) /* no code; normal; 2^15 */
#define MPU_ON_WITH_BACKGROUND 5u

#define CCR REGISTER(0xE000ED14u)
#define CCR_CACHES (3u << 16)
#define CSSELR REGISTER(0xE000ED84u)
#define CCSIDR REGISTER(0xE000ED80u)
#define ICIALLU REGISTER(0xE000EF50u)
#define DCISW_ADDRESS 0xE000EF60u  /* invalidates a line */
#define DCCISW_ADDRESS 0xE000EF74u /* writes it back first */

/* Defined by link.ld; only its address is meaningful. */
extern uint32_t link_dma_region[];

/* Does something with each line of the data cache, of 32 bytes, and then empties the instruction cache. */
static void empty_caches(uintptr_t operation) {
    CSSELR = 0;
    memory_barrier();
    const uint32_t n_sets = (CCSIDR >> 13 & 0x7FFFu) + 1;
    const uint32_t n_ways = (CCSIDR >> 3 & 0x3FFu) + 1; /* 4 */
    for (uint32_t set = 0; set < n_sets; set++) {
        for (uint32_t way = 0; way < n_ways; way++) {
            REGISTER(operation) = way << 30 | set << 5;
        }
    }
    ICIALLU = 0;
    memory_barrier();
}

void chip_start(void) {
    RCC_AHB2ENR |= SRAM1_ENABLE;
    (void)RCC_AHB2ENR; /* waits until the clock is on */
    if (CHIP_IS_EARLY()) {
        AXI_SRAM_ISSUING = 1; /* one read at a time: otherwise reads of the AXI SRAM may be wrong */
    }
    /* The core may read ahead where memory is normal, and external memories, which are not there, never
     * answer. */
    MPU_RBAR = MPU_REGION(0u);
    MPU_RASR = MPU_NOTHING_FROM_60000000_TO_E0000000;
    MPU_RBAR = (uint32_t)(uintptr_t)link_dma_region | MPU_REGION(1u);
    MPU_RASR = MPU_UNCACHED_32_KB;
    MPU_CTRL = MPU_ON_WITH_BACKGROUND;
    empty_caches(DCISW_ADDRESS); /* their content after reset is undefined */
    CCR |= CCR_CACHES;
    memory_barrier();
}

void chip_empty_caches(void) { empty_caches(DCCISW_ADDRESS); }
