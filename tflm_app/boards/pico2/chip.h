/* The addresses and fields of the RP2350 that boards/ports/rp2 uses and that differ on the RP2040.
 * Source: RP2350 datasheet; each block names its section.
 */
#ifndef CHIP_H
#define CHIP_H

/* 2.2 Address map */
#define SYSINFO_BASE 0x40000000u
#define CLOCKS_BASE 0x40010000u
#define PSM_BASE 0x40018000u
#define RESETS_BASE 0x40020000u
#define IO_BANK0_BASE 0x40028000u
#define PADS_BANK0_BASE 0x40038000u
#define XOSC_BASE 0x40048000u
#define PLL_SYS_BASE 0x40050000u
#define PLL_USB_BASE 0x40058000u
#define UART0_BASE 0x40070000u
#define UART1_BASE 0x40078000u
#define ADC_BASE 0x400A0000u
#define PWM_BASE 0x400A8000u
#define TIMER_BASE 0x400B0000u
#define WATCHDOG_BASE 0x400D8000u
#define TICKS_BASE 0x40108000u
#define DMA_BASE 0x50000000u
#define USB_DPRAM_BASE 0x50100000u
#define USB_BASE 0x50110000u
#define PIO0_BASE 0x50200000u
#define SIO_BASE 0xD0000000u
#define CHIP_FLASH_UNCACHED 0x14000000u

/* 5.4.1 Boot ROM: 16-bit address of the function that looks up a code, and the kind to look for */
#define CHIP_ROM_POINTERS 0x16u
#define CHIP_ROM_ARM_SECURE 4u

/* 7.5 Resets: one bit per subsystem */
#define RESET_ADC (1u << 0)
#define RESET_DMA (1u << 2)
#define RESET_IO_BANK0 (1u << 6)
#define RESET_PADS_BANK0 (1u << 9)
#define RESET_PIO0 (1u << 11)
#define RESET_PLL_SYS (1u << 14)
#define RESET_PLL_USB (1u << 15)
#define RESET_PWM (1u << 16)
#define RESET_SYSINFO (1u << 21)
#define RESET_TIMER (1u << 23)
#define RESET_UART0 (1u << 26)
#define RESET_UART1 (1u << 27)
#define RESET_USBCTRL (1u << 28)

/* 3.2 Interrupts */
#define IRQ_DMA_0 10
#define IRQ_USBCTRL 14
#define IRQ_UART0 33
#define IRQ_UART1 34

/* 3.1 SIO */
#define SIO_GPIO_OUT_SET 0x018u
#define SIO_GPIO_OUT_CLEAR 0x020u
#define SIO_GPIO_OE_SET 0x038u

/* 12.6 DMA: fields of CTRL whose position differs */
#define DMA_CTRL_RING_SIZE 8
#define DMA_CTRL_CHAIN_TO 13
#define DMA_CTRL_TREQ 17
#define DMA_TIMER0 0x440u

/* 7.4 Power-on state machine: everything but the two oscillators (bits 2 and 3) */
#define PSM_WATCHDOG_RESETS 0x1FFFFF3u

/* 8.5 Tick generators: ENABLE is in the preceding word */
#define WATCHDOG_TICK (TICKS_BASE + 0x34u)
#define WATCHDOG_TICK_CTRL (TICKS_BASE + 0x30u)
#define WATCHDOG_COUNTS_PER_TICK 1u

#define TIMER_TICK (TICKS_BASE + 0x1Cu)
#define TIMER_TICK_CTRL (TICKS_BASE + 0x18u)

/* 8.1 Clocks: position of the clocks of USB controller and ADC */
#define CLOCKS_USB_CTRL (CLOCKS_BASE + 0x60u)
#define CLOCKS_ADC_CTRL (CLOCKS_BASE + 0x6Cu)

/* Names for the self-test */
#define CHIP_NAME "RP2350"
#define CHIP_CPUID_SECTION "Armv8-M ARM D1.2, CPUID"
#define CHIP_SYSTICK_SECTION "Armv8-M ARM D1.2, SYST_CVR"
#define CHIP_ID_SECTION "RP2350 datasheet 12.15"
#define CHIP_TIMER_SECTION "RP2350 datasheet 12.8"
#define CHIP_SOUND_SECTION "RP2350 datasheet 8.6, 11.5"

/* 8.6 PLL: 12 MHz * 125 / 5 / 2 = 150 MHz */
#define PLL_POST_DIVIDER_1 5u
#define PLL_POST_DIVIDER_2 2u
#define CLOCKS_SYS_DIV_1 0x10000u    /* 8.1: the integer part begins at bit 16 */
#define RING_OSCILLATOR_HZ 11000000u /* 8.3: approximate frequency before it is configured */

#endif
