/* I2S3 as master transmitter, Philips standard, 16 bits, with a master clock for the codec.
 * Source: RM0090 sections 28.4.4 and 28.5.8-9. */
#include "chip.h"
#include "stm32.h"

#define TRANSMIT_DMA (1u << 1)
#define I2S_ENABLE (1u << 10)
#define I2S_MASTER_TRANSMITTER (1u << 11 | 2u << 8)
#define MASTER_CLOCK_OUT (1u << 9)
#define DIVIDER (CHIP_I2S_DIVIDER / 2 | (CHIP_I2S_DIVIDER & 1u) << 8)

void i2s_start(void) {
    SPI3_I2SCFGR = I2S_MASTER_TRANSMITTER;
    SPI3_I2SPR = DIVIDER | MASTER_CLOCK_OUT;
    SPI3_CR2 = TRANSMIT_DMA;
}

void i2s_run(void) { SPI3_I2SCFGR |= I2S_ENABLE; }
