/* The addresses and pins of the STM32F407 on this board that boards/ports/stm32 uses.
 *
 * Source: RM0090 section 2.3 (memory map), DS8626 table 9 (alternate functions), UM1472 (the board).
 */
#ifndef CHIP_H
#define CHIP_H

#define CHIP_GPIO 0x40020000u
#define CHIP_DMA1 0x40026000u
#define CHIP_DMA2 0x40026400u
#define CHIP_IWDG 0x40003000u
#define CHIP_USART2 0x40004400u
#define CHIP_USART3 0x40004800u
#define CHIP_USART6 0x40011400u
#define CHIP_N_INTERRUPTS 82

#include "play_board.h"
#include "registers.h"

/* --- reset and clock control (RM0090 section 7.3) ----------------------------------------------------- */

#define RCC_BASE 0x40023800u
#define RCC_CR REGISTER(RCC_BASE + 0x00u)
#define RCC_CR_HSE_ON (1u << 16)
#define RCC_CR_HSE_READY (1u << 17)
#define RCC_CR_PLL_ON (1u << 24)
#define RCC_CR_PLL_READY (1u << 25)
#define RCC_CR_PLLI2S_ON (1u << 26)
#define RCC_CR_PLLI2S_READY (1u << 27)
#define RCC_PLLCFGR REGISTER(RCC_BASE + 0x04u)
#define RCC_CFGR_ADDRESS (RCC_BASE + 0x08u)
#define RCC_CFGR REGISTER(RCC_CFGR_ADDRESS)
/* No crystal, no PLL, and the core runs from the internal oscillator (SWS). */
#define CHIP_CLOCKS_ARE_RESET() \
    ((RCC_CR & (RCC_CR_HSE_ON | RCC_CR_PLL_ON | RCC_CR_PLLI2S_ON)) == 0 && (RCC_CFGR & 3u << 2) == 0)
#define RCC_AHB1ENR REGISTER(RCC_BASE + 0x30u)
#define RCC_AHB2ENR REGISTER(RCC_BASE + 0x34u)
#define RCC_APB1ENR REGISTER(RCC_BASE + 0x40u)
#define RCC_APB2ENR REGISTER(RCC_BASE + 0x44u)
#define RCC_CSR REGISTER(RCC_BASE + 0x74u)
#define RCC_CSR_REMOVE_FLAGS (1u << 24)
#define CHIP_IS_SOFTWARE_RESET() ((RCC_CSR & 1u << 28) != 0) /* SFTRSTF */
#define RCC_CSR_WATCHDOG (1u << 29)
#define RCC_PLLI2SCFGR REGISTER(RCC_BASE + 0x84u)
#define FLASH_ACR REGISTER(0x40023C00u)         /* section 3.9.1 */
#define FLASH_ACR_CACHES (3u << 9)              /* ICEN, DCEN */
#define FLASH_ACR_CACHE_RESETS (3u << 11)       /* ICRST, DCRST */
#define DBGMCU_IDCODE REGISTER(0xE0042000u)     /* section 38.6.1 */
#define CHIP_DEBUG_FREEZE REGISTER(0xE0042008u) /* DBGMCU_APB1_FZ, section 38.16.4 */
#define CHIP_DEBUG_FREEZE_WATCHDOG (1u << 12)   /* DBG_IWDG_STOP */

/* --- USART (section 30.6) ----------------------------------------------------------------------------- */

#define CHIP_USART_STATUS 0x00u
#define CHIP_USART_RECEIVED 0x04u
#define CHIP_USART_SEND 0x04u
#define CHIP_USART_BRR 0x08u
#define CHIP_USART_CR1 0x0Cu
#define CHIP_USART_ENABLE (1u << 13)
#define CHIP_USART_CLEAR_ERRORS(base, errors) /* reading status and data has cleared them */ \
    ((void)(base), (void)(errors))

#define CHIP_CONSOLE_USART CHIP_USART2
#define CHIP_CONSOLE_IRQ IRQ_USART2
#define CHIP_MIDI_USART CHIP_USART3
#define CHIP_MIDI_IRQ IRQ_USART3
#define CHIP_USART2_ROLE (&console_uart)
#define CHIP_USART3_ROLE (&midi_uart)

/* --- I2S3, which is SPI3 (section 28.5) --------------------------------------------------------------- */

#define SPI3_BASE 0x40003C00u
#define SPI3_CR2 REGISTER(SPI3_BASE + 0x04u)
#define CHIP_I2S_DATA (SPI3_BASE + 0x0Cu)
#define SPI3_I2SCFGR REGISTER(SPI3_BASE + 0x1Cu)
#define SPI3_I2SPR REGISTER(SPI3_BASE + 0x20u)

/* Its PLL, 1.6 MHz * N / R, is divided by 2 * I2SDIV + ODD, and by 256 because the master clock is output
 * (section 28.4.4). */
#define CHIP_I2S_PLL_N 192u
#if BOARD_SAMPLE_RATE == 48000
#define CHIP_I2S_PLL_R 5u
#define CHIP_I2S_DIVIDER 5u
#else
#define CHIP_I2S_PLL_R 3u
#define CHIP_I2S_DIVIDER 25u
#endif
_Static_assert(1600000u * CHIP_I2S_PLL_N == 256u * CHIP_I2S_PLL_R * CHIP_I2S_DIVIDER * BOARD_SAMPLE_RATE,
               "the output must have exactly the rate that the timers count");
#define CHIP_DMA_REQUEST 0u /* channel 0 of stream 5 is SPI3_TX (section 10.3.3) */
#define CHIP_ROUTE_DMA() ((void)0)
#define CHIP_DMA_SECTION ".bss.dma" /* the DMA can access all of RAM */

/* --- ADC1 (section 13.13) ------------------------------------------------------------------------------- */

#define ADC1_BASE 0x40012000u
#define ADC1_SR REGISTER(ADC1_BASE + 0x00u)
#define ADC1_CR2 REGISTER(ADC1_BASE + 0x08u)
#define ADC1_SMPR2 REGISTER(ADC1_BASE + 0x10u)
#define ADC1_SQR1 REGISTER(ADC1_BASE + 0x2Cu)
#define ADC1_SQR3 REGISTER(ADC1_BASE + 0x34u)
#define ADC_CCR REGISTER(ADC1_BASE + 0x304u)
#define CHIP_INPUT_DATA (ADC1_BASE + 0x4Cu)
#define CHIP_INPUT_DMA_REQUEST 0u /* channel 0 of stream 0 of DMA2 is ADC1 (section 10.3.3) */
#define CHIP_ROUTE_INPUT_DMA() ((void)0)

/* --- I2C1 (section 27.6) ------------------------------------------------------------------------------ */

#define I2C1_BASE 0x40005400u
#define I2C1_CR1_ADDRESS (I2C1_BASE + 0x00u)
#define I2C1_CR1 REGISTER(I2C1_CR1_ADDRESS)
#define I2C1_CR2 REGISTER(I2C1_BASE + 0x04u)
#define I2C1_DR REGISTER(I2C1_BASE + 0x10u)
#define I2C1_SR1_ADDRESS (I2C1_BASE + 0x14u)
#define I2C1_SR2 REGISTER(I2C1_BASE + 0x18u)
#define I2C1_CCR REGISTER(I2C1_BASE + 0x1Cu)
#define I2C1_TRISE REGISTER(I2C1_BASE + 0x20u)

/* --- OTG_FS (sections 12.2, 34.3, 34.16.2) -------------------------------------------------------------- */

#define CHIP_OTG 0x50000000u
#define CHIP_OTG_IRQ 67u
#define CHIP_OTG_FIFO_WORDS 320u
#define CHIP_OTG_GCCFG (1u << 21) /* NOVBUSSENS: a session is always valid */
#define CHIP_OTG_GOTGCTL 0u

/* --- the boot loader in the system memory (AN2606; sections 2.4, 7.3.14 and 9.2.1) ---------------------- */

#define CHIP_LOADER 0x1FFF0000u
#define RCC_APB2ENR_SYSCFG (1u << 14)
#define SYSCFG_MEMRMP REGISTER(0x40013800u)
/* It expects the system memory at address 0, as after a reset with BOOT0 high. */
#define CHIP_MAP_LOADER() (RCC_APB2ENR |= RCC_APB2ENR_SYSCFG, (void)RCC_APB2ENR, SYSCFG_MEMRMP = 1u)

/* --- names for the self-test ---------------------------------------------------------------------------- */

#define CHIP_NAME "STM32F407"
#define CHIP_IDCODE_SECTION "RM0090 38.6.1"
#define CHIP_TIM2_SECTION "RM0090 18.4"
#define CHIP_I2S_SECTION "RM0090 28.4"

/* --- pins of the board -------------------------------------------------------------------------------- */

#define CHIP_LED_RUNNING ((pin_t){3, 12}) /* LD4, green: PD12 */
#define CHIP_LED_MIDI ((pin_t){3, 13})    /* LD3, orange: PD13 */
#define CHIP_LED_ERROR ((pin_t){3, 14})   /* LD5, red: PD14 */
#define CHIP_BUTTON ((pin_t){0, 0})       /* B1, blue, high when pressed: PA0 */
#define PIN_CODEC_RESET ((pin_t){3, 4})   /* low resets: PD4 */
#define PIN_SOUND ((pin_t){0, 1})         /* channel 1 of ADC1: PA1 */

#endif
