/* The addresses and pins of the STM32H743 on this board that boards/ports/stm32 uses.
 *
 * Source: RM0433 section 2.3 (memory map), DS12110 tables 9 to 20 (alternate functions), UM1974 and UM2407
 * (the board).
 */
#ifndef CHIP_H
#define CHIP_H

#define CHIP_GPIO 0x58020000u
#define CHIP_DMA1 0x40020000u
#define CHIP_DMA2 0x40020400u
#define CHIP_IWDG 0x58004800u
#define CHIP_USART2 0x40004400u
#define CHIP_USART3 0x40004800u
#define CHIP_USART6 0x40011400u
#define CHIP_N_INTERRUPTS 150

#include "registers.h"

/* --- reset and clock control (RM0433 section 8.7) ----------------------------------------------------- */

#define RCC_BASE 0x58024400u
#define RCC_CR REGISTER(RCC_BASE + 0x00u)
#define RCC_CR_HSE_ON (1u << 16)
#define RCC_CR_HSE_READY (1u << 17)
#define RCC_CR_HSE_BYPASS (1u << 18)
#define RCC_CR_PLL1_ON (1u << 24)
#define RCC_CR_PLL1_READY (1u << 25)
#define RCC_CR_PLL3_ON (1u << 28)
#define RCC_CR_PLL3_READY (1u << 29)
#define RCC_CFGR_ADDRESS (RCC_BASE + 0x10u)
#define RCC_CFGR REGISTER(RCC_CFGR_ADDRESS)
/* No crystal, no oscillator for USB (HSI48), none of the three PLLs, and the core runs from the internal
 * oscillator (SWS). */
#define RCC_CR_STARTED (1u << 12 | RCC_CR_HSE_ON | RCC_CR_PLL1_ON | 1u << 26 | RCC_CR_PLL3_ON)
#define CHIP_CLOCKS_ARE_RESET() ((RCC_CR & RCC_CR_STARTED) == 0 && (RCC_CFGR & 7u << 3) == 0)
#define RCC_D1CFGR REGISTER(RCC_BASE + 0x18u)
#define RCC_D2CFGR REGISTER(RCC_BASE + 0x1Cu)
#define RCC_D3CFGR REGISTER(RCC_BASE + 0x20u)
#define RCC_PLLCKSELR REGISTER(RCC_BASE + 0x28u)
#define RCC_PLLCFGR REGISTER(RCC_BASE + 0x2Cu)
#define RCC_PLL1DIVR REGISTER(RCC_BASE + 0x30u)
#define RCC_PLL3DIVR REGISTER(RCC_BASE + 0x40u)
#define RCC_D2CCIP1R REGISTER(RCC_BASE + 0x50u)
#define RCC_D2CCIP2R REGISTER(RCC_BASE + 0x54u)
#define RCC_D3CCIPR REGISTER(RCC_BASE + 0x58u)
#define RCC_RSR REGISTER(RCC_BASE + 0xD0u)
#define RCC_RSR_REMOVE_FLAGS (1u << 16)
#define RCC_RSR_WATCHDOG (1u << 26)
#define CHIP_IS_SOFTWARE_RESET() ((RCC_RSR & 1u << 24) != 0) /* SFTRSTF */
#define RCC_AHB1ENR REGISTER(RCC_BASE + 0xD8u)
#define RCC_AHB2ENR REGISTER(RCC_BASE + 0xDCu)
#define RCC_AHB4ENR REGISTER(RCC_BASE + 0xE0u)
#define RCC_APB1LENR REGISTER(RCC_BASE + 0xE8u)
#define RCC_APB2ENR REGISTER(RCC_BASE + 0xF0u)
#define RCC_APB4ENR REGISTER(RCC_BASE + 0xF4u)
#define RCC_AHB1LPENR REGISTER(RCC_BASE + 0x100u) /* while the core sleeps */

#define FLASH_ACR REGISTER(0x52002000u) /* section 4.9.1 */

/* --- power, and the revision of the chip (sections 6.8, 12.3, 60.5.8) ------------------------------------
 */

#define PWR_CSR1_ADDRESS 0x58024804u
#define PWR_CR3_ADDRESS 0x5802480Cu
#define PWR_CR3 REGISTER(PWR_CR3_ADDRESS)
#define PWR_CR3_USB_DETECTOR (1u << 24) /* USB33DEN */
#define PWR_CR3_USB_READY (1u << 26)    /* USB33RDY */
#define PWR_D3CR_ADDRESS 0x58024818u
#define PWR_D3CR REGISTER(PWR_D3CR_ADDRESS)
#define PWR_READY (1u << 13) /* ACTVOSRDY in CSR1, VOSRDY in D3CR */
#define SYSCFG_PWRCR REGISTER(0x5800042Cu)
#define DBGMCU_IDCODE REGISTER(0x5C001000u)
#define CHIP_DEBUG_FREEZE REGISTER(0x5C001054u)         /* DBGMCU_APB4FZ1 */
#define CHIP_DEBUG_FREEZE_WATCHDOG (1u << 18)           /* WDGLSD1 */
#define CHIP_IS_EARLY() (DBGMCU_IDCODE >> 16 < 0x2000u) /* revision Y or before */

/* --- USART (section 48.7) ----------------------------------------------------------------------------- */

#define CHIP_USART_STATUS 0x1Cu
#define CHIP_USART_RECEIVED 0x24u
#define CHIP_USART_SEND 0x28u
#define CHIP_USART_BRR 0x0Cu
#define CHIP_USART_CR1 0x00u
#define CHIP_USART_ENABLE 1u
#define CHIP_USART_CLEAR_ERRORS(base, errors) (REGISTER((base) + 0x20u) = (errors)) /* USART_ICR */

#define CHIP_CONSOLE_USART CHIP_USART3
#define CHIP_CONSOLE_IRQ IRQ_USART3
#define CHIP_MIDI_USART CHIP_USART2
#define CHIP_MIDI_IRQ IRQ_USART2
#define CHIP_USART2_ROLE (&midi_uart)
#define CHIP_USART3_ROLE (&console_uart)

/* --- I2S3, which is SPI3 (chapter 50), and its DMA request (section 17.3.2) ----------------------------- */

#define SPI3_BASE 0x40003C00u
#define SPI3_CR1 REGISTER(SPI3_BASE + 0x00u)
#define SPI3_CFG1 REGISTER(SPI3_BASE + 0x08u)
#define CHIP_I2S_DATA (SPI3_BASE + 0x20u)
#define SPI3_I2SCFGR REGISTER(SPI3_BASE + 0x50u)
#define DMAMUX1_C5CR REGISTER(0x40020814u)
#define CHIP_ROUTE_DMA() (DMAMUX1_C5CR = 62u) /* SPI3_TX */
#define CHIP_SOUND_HZ 30720000u               /* output of PLL3: see clocks.c */
#define CHIP_DMA_REQUEST 0u
#define CHIP_DMA_SECTION ".dma" /* link.ld */

/* --- ADC1, ADC3 (section 25.6), and the DMA request of ADC3 --------------------------------------------- */

#define ADC1_BASE 0x40022000u
#define ADC3_BASE 0x58026000u
#define ADC_ISR(adc) ((adc) + 0x00u)
#define ADC_CR(adc) ((adc) + 0x08u)
#define ADC_CFGR(adc) REGISTER((adc) + 0x0Cu)
#define ADC_CFGR2(adc) REGISTER((adc) + 0x10u)
#define ADC_SMPR1(adc) REGISTER((adc) + 0x14u)
#define ADC_SMPR2(adc) REGISTER((adc) + 0x18u)
#define ADC_PCSEL(adc) REGISTER((adc) + 0x1Cu)
#define ADC_SQR1(adc) REGISTER((adc) + 0x30u)
#define ADC_DR(adc) ((adc) + 0x40u)
#define ADC_CCR(adc) REGISTER((adc) + 0x308u) /* that of ADC1 is shared with ADC2 */
#define CHIP_INPUT_DATA ADC_DR(ADC3_BASE)
#define DMAMUX1_C8CR REGISTER(0x40020820u)           /* stream 0 of DMA2 */
#define CHIP_ROUTE_INPUT_DMA() (DMAMUX1_C8CR = 115u) /* ADC3 */
#define CHIP_INPUT_DMA_REQUEST 0u

/* --- OTG_HS2, with the pins of OTG_FS (section 19.1, chapter 57) -------------------------------------- */

#define CHIP_OTG 0x40080000u
#define CHIP_OTG_IRQ 101u
#define CHIP_OTG_FIFO_WORDS 1024u
#define CHIP_OTG_GCCFG 0u                    /* VBDEN is off */
#define CHIP_OTG_GOTGCTL (1u << 6 | 1u << 7) /* BVALOEN, BVALOVAL: a session is always valid */

/* --- the boot loader in the system memory (AN2606) ---------------------------------------------------- */

#define CHIP_LOADER 0x1FF09800u
#define CHIP_MAP_LOADER() ((void)0)

/* --- names for the self-test ---------------------------------------------------------------------------- */

#define CHIP_NAME "STM32H743"
#define CHIP_IDCODE_SECTION "RM0433 60.5.8"
#define CHIP_TIM2_SECTION "RM0433 39.4"
#define CHIP_I2S_SECTION "RM0433 50"

/* --- pins of the board -------------------------------------------------------------------------------- */

#define CHIP_LED_RUNNING ((pin_t){1, 0}) /* LD1, green: PB0 */
#define CHIP_LED_MIDI ((pin_t){4, 1})    /* LD2, yellow: PE1 (NUCLEO-H743ZI2) */
#define CHIP_LED_ERROR ((pin_t){1, 14})  /* LD3, red: PB14 */
#define CHIP_BUTTON ((pin_t){2, 13})     /* B1, blue, high when pressed: PC13 */
#define PIN_SOUND ((pin_t){5, 10})       /* channel 6 of ADC3: PF10 */

#endif
