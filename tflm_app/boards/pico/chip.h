/* The addresses and fields of the RP2040 that boards/ports/rp2 uses and that differ on the RP2350.
 * Source: RP2040 datasheet; each block names its section.
 */
#ifndef CHIP_H
#define CHIP_H

/* 2.2 Address map */
#define SYSINFO_BASE 0x40000000u
#define RESETS_BASE 0x4000C000u
#define CLOCKS_BASE 0x40008000u
#define PSM_BASE 0x40010000u
#define IO_BANK0_BASE 0x40014000u
#define PADS_BANK0_BASE 0x4001C000u
#define XOSC_BASE 0x40024000u
#define PLL_SYS_BASE 0x40028000u
#define PLL_USB_BASE 0x4002C000u
#define UART0_BASE 0x40034000u
#define UART1_BASE 0x40038000u
#define ADC_BASE 0x4004C000u
#define PWM_BASE 0x40050000u
#define TIMER_BASE 0x40054000u
#define WATCHDOG_BASE 0x40058000u
#define DMA_BASE 0x50000000u
#define USB_DPRAM_BASE 0x50100000u
#define USB_BASE 0x50110000u
#define PIO0_BASE 0x50200000u
#define SIO_BASE 0xD0000000u
#define CHIP_FLASH_UNCACHED 0x13000000u

/* 2.8.3 Boot ROM: 16-bit addresses of its table of functions, of a table of data, and of the function that
 * looks up a code in a table */
#define CHIP_ROM_POINTERS 0x14u

/* 2.14 Resets: one bit per subsystem */
#define RESET_ADC (1u << 0)
#define RESET_DMA (1u << 2)
#define RESET_IO_BANK0 (1u << 5)
#define RESET_PADS_BANK0 (1u << 8)
#define RESET_PIO0 (1u << 10)
#define RESET_PLL_SYS (1u << 12)
#define RESET_PLL_USB (1u << 13)
#define RESET_PWM (1u << 14)
#define RESET_SYSINFO (1u << 19)
#define RESET_TIMER (1u << 21)
#define RESET_UART0 (1u << 22)
#define RESET_UART1 (1u << 23)
#define RESET_USBCTRL (1u << 24)

/* 2.3.2 Interrupts */
#define IRQ_TIMER_0 0
#define IRQ_USBCTRL 5
#define IRQ_DMA_0 11
#define IRQ_UART0 20
#define IRQ_UART1 21

/* 2.3.1 SIO */
#define SIO_GPIO_OUT_SET 0x014u
#define SIO_GPIO_OUT_CLEAR 0x018u
#define SIO_GPIO_OE_SET 0x024u

/* 2.5 DMA: fields of CTRL whose position differs */
#define DMA_CTRL_RING_SIZE 6
#define DMA_CTRL_CHAIN_TO 11
#define DMA_CTRL_TREQ 15
#define DMA_TIMER0 0x420u

/* 2.13 Power-on state machine: everything but the two oscillators (bits 0 and 1) */
#define PSM_WATCHDOG_RESETS 0x1FFFCu

/* 4.7 and erratum RP2040-E1: the watchdog generates the ticks itself and counts each one twice */
#define WATCHDOG_TICK (WATCHDOG_BASE + 0x2Cu)
#define WATCHDOG_TICK_ENABLE (1u << 9)
#define WATCHDOG_COUNTS_PER_TICK 2u

/* The timer counts the ticks of the watchdog. */
#define TIMER_TICK WATCHDOG_TICK

/* 2.15 Clocks: position of the clocks of USB controller and ADC */
#define CLOCKS_USB_CTRL (CLOCKS_BASE + 0x54u)
#define CLOCKS_ADC_CTRL (CLOCKS_BASE + 0x60u)

/* For erratum RP2040-E5. 2.20 Identity: CHIP_ID.REVISION, which is 1 for B0 and B1 */
#define CHIP_ID_REVISION 28
#define CHIP_REVISION_B2 2u
/* 4.6 Timer */
#define TIMER_ALARM0 (TIMER_BASE + 0x10u)
#define TIMER_INTR (TIMER_BASE + 0x34u) /* a written 1 clears a bit */
#define TIMER_INTE (TIMER_BASE + 0x38u)
#define TIMER_ALARM_0 (1u << 0)
/* 2.19 GPIO: a function of GPIO 15, and CTRL.OEOVER and INOVER */
#define PIN_FUNCTION_USB_DP 8u
#define PIN_OUTPUT_OFF (2u << 12)
#define PIN_INPUT_HIGH (3u << 16)
/* 4.1 USB */
#define USB_SIE_STATUS_LINE_STATE (3u << 2) /* 0 is SE0, 1 is J */
#define USB_MUXING_TO_DIGITAL_PAD (1u << 2)
#define USB_PHY_DIRECT (USB_BASE + 0x7Cu)
#define USB_PHY_DP_PULLUP_EN (1u << 1)
#define USB_PHY_DIRECT_OVERRIDE (USB_BASE + 0x80u)
#define USB_PHY_DP_PULLUP_EN_OVERRIDE_EN (1u << 2)

/* Names for the self-test */
#define CHIP_NAME "RP2040"
#define CHIP_CPUID_SECTION "Armv6-M ARM B3.2.3"
#define CHIP_SYSTICK_SECTION "Armv6-M ARM B3.3"
#define CHIP_ID_SECTION "RP2040 datasheet 2.20"
#define CHIP_TIMER_SECTION "RP2040 datasheet 4.6"
#define CHIP_SOUND_SECTION "RP2040 datasheet 2.18, 3.5"

/* 2.18 PLL: 12 MHz * 125 / 6 / 2 = 125 MHz */
#define PLL_POST_DIVIDER_1 6u
#define PLL_POST_DIVIDER_2 2u
#define CLOCKS_SYS_DIV_1 0x100u     /* 2.15: the integer part begins at bit 8 */
#define RING_OSCILLATOR_HZ 6500000u /* 2.17: approximate frequency before it is configured */

#endif
