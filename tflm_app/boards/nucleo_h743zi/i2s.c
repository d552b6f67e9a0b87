/* I2S3 as master transmitter, Philips standard, 16 bits in slots of 32. The PCM5102A derives its master clock
 * from the bit clock and accepts 64 bit clocks per frame at every rate, but not 32 at 16 kHz (SLAS859C, BCK
 * rates for PLL operation). Source: RM0433 chapter 50. */
#include "chip.h"
#include "play_board.h"
#include "stm32.h"

#define TRANSMIT_DMA (1u << 15)
#define SPI_ENABLE 1u
#define SPI_START (1u << 9)
#define I2S_MASTER_TRANSMITTER (1u | 2u << 1)
#define SLOTS_OF_32_BITS (1u << 10)
#define CLOCKS_A_FRAME 64u
#define DIVIDER (CHIP_SOUND_HZ / (CLOCKS_A_FRAME * BOARD_SAMPLE_RATE)) /* 30, or 10 at 48 kHz */
_Static_assert(DIVIDER *CLOCKS_A_FRAME *BOARD_SAMPLE_RATE == CHIP_SOUND_HZ && DIVIDER % 2 == 0, "exact");

void i2s_start(void) {
    SPI3_I2SCFGR = I2S_MASTER_TRANSMITTER | SLOTS_OF_32_BITS | (DIVIDER / 2) << 16;
    SPI3_CFG1 |= TRANSMIT_DMA;
}

void i2s_run(void) {
    SPI3_CR1 |= SPI_ENABLE;
    SPI3_CR1 |= SPI_START;
}

/* The PCM5102A needs no set-up. */
bool codec_start(void) { return true; }
