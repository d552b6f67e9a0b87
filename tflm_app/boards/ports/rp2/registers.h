/* Registers that the RP2040 and the RP2350 have in common; chip.h of the board has their base addresses.
 *
 * Section numbers are those of the RP2040 datasheet, then of the RP2350 datasheet. Constants without a
 * comment have the names of the datasheets. Arm's registers are in the Armv6-M and Armv8-M Architecture
 * Reference Manuals, section B3.
 */
#ifndef REGISTERS_H
#define REGISTERS_H

#include <stdint.h>

#include "chip.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* 2.1.2, 2.1.3 Atomic access: aliases of a register that set or clear the bits written to them */
#define SET_BITS 0x2000u
#define CLEAR_BITS 0x3000u

/* 2.14, 7.5 Resets */
#define RESETS_RESET (RESETS_BASE + 0x0u)
#define RESETS_DONE (RESETS_BASE + 0x8u)

/* 2.15, 8.1 Clocks */
#define CLOCKS_REF_CTRL (CLOCKS_BASE + 0x30u)
#define CLOCKS_REF_SELECTED (CLOCKS_BASE + 0x38u)
#define CLOCKS_REF_FROM_CRYSTAL 2u
#define CLOCKS_SYS_CTRL (CLOCKS_BASE + 0x3Cu)
#define CLOCKS_SYS_DIV (CLOCKS_BASE + 0x40u)
#define CLOCKS_SYS_SELECTED (CLOCKS_BASE + 0x44u)
#define CLOCKS_SYS_FROM_REF 0u
#define CLOCKS_SYS_FROM_PLL 1u /* SRC: the auxiliary source, which is PLL_SYS with AUXSRC 0 */
#define CLOCKS_PERI_CTRL (CLOCKS_BASE + 0x48u)
#define CLOCKS_PERI_ENABLE (1u << 11)   /* AUXSRC 0: from clk_sys */
#define CLOCKS_48_MHZ_ENABLE (1u << 11) /* AUXSRC 0 of the clocks of USB and ADC: from PLL_USB */

/* 2.16, 8.2 Crystal oscillator */
#define XOSC_CTRL (XOSC_BASE + 0x0u)
#define XOSC_CTRL_ENABLE_1_TO_15_MHZ ((0xFABu << 12) | 0xAA0u)
#define XOSC_STATUS (XOSC_BASE + 0x4u)
#define XOSC_STATUS_STABLE (1u << 31)
#define XOSC_STARTUP (XOSC_BASE + 0xCu)

/* 2.18, 8.6 PLL */
#define PLL_CS(pll) ((pll) + 0x0u)
#define PLL_CS_LOCK (1u << 31)
#define PLL_PWR(pll) ((pll) + 0x4u)
#define PLL_PWR_PD (1u << 0)
#define PLL_PWR_POSTDIVPD (1u << 3)
#define PLL_PWR_VCOPD (1u << 5)
#define PLL_FBDIV_INT(pll) ((pll) + 0x8u)
#define PLL_PRIM(pll) ((pll) + 0xCu)

/* 2.19, 9 GPIO: functions and pads */
#define IO_BANK0_CTRL(pin) (IO_BANK0_BASE + 8u * (pin) + 4u)
#define PIN_FUNCTION_UART 2u
#define PIN_FUNCTION_PWM 4u
#define PIN_FUNCTION_SIO 5u
#define PIN_FUNCTION_PIO0 6u
#define PIN_FUNCTION_NONE 31u
#define PADS_BANK0_GPIO(pin) (PADS_BANK0_BASE + 4u * (pin) + 4u)
/* All clear ISO, the isolation that is on after a reset of the RP2350. */
#define PAD_PULL_UP ((1u << 6) | (1u << 3) | (1u << 1)) /* input, pulled up, Schmitt trigger */
#define PAD_OUTPUT ((1u << 4) | (1u << 1))              /* 4 mA */
#define PAD_ANALOG (1u << 7)                            /* OD; no input, no pulls */
#define PAD_PULLED_UP (1u << 3)
#define PAD_PULLED_DOWN (1u << 2)

/* 4.2, 12.1 UART: Arm's PL011 */
#define UART_DR 0x00u
#define UART_DR_LINE_ERRORS (7u << 8) /* FE, PE, BE: framing, parity, break */
#define UART_DR_OVERRUN (1u << 11)
#define UART_FR 0x18u
#define UART_FR_RXFE (1u << 4)
#define UART_FR_TXFF (1u << 5)
#define UART_IBRD 0x24u
#define UART_FBRD 0x28u
#define UART_LCR_H 0x2Cu
#define UART_LCR_H_8_BITS_FIFO ((3u << 5) | (1u << 4))
#define UART_CR 0x30u
#define UART_CR_ENABLE_RX_TX ((1u << 9) | (1u << 8) | (1u << 0))
#define UART_IMSC 0x38u
#define UART_INTERRUPT_RX (1u << 4)

/* 2.3.1.4, 3.1.5 SIO: the two FIFOs between the cores */
#define SIO_FIFO_ST (SIO_BASE + 0x50u)
#define SIO_FIFO_ST_VLD (1u << 0) /* a word has arrived */
#define SIO_FIFO_ST_RDY (1u << 1) /* there is space for a word to the other core */
#define SIO_FIFO_WR (SIO_BASE + 0x54u)
#define SIO_FIFO_RD (SIO_BASE + 0x58u)

/* 2.5, 12.6 DMA */
#define DMA_READ_ADDR(channel) (DMA_BASE + 0x40u * (channel) + 0x00u)
#define DMA_WRITE_ADDR(channel) (DMA_BASE + 0x40u * (channel) + 0x04u)
#define DMA_TRANS_COUNT(channel) (DMA_BASE + 0x40u * (channel) + 0x08u)
#define DMA_CTRL(channel) (DMA_BASE + 0x40u * (channel) + 0x10u) /* AL1_CTRL, which is no trigger */
#define DMA_CTRL_TRIGGER(channel) (DMA_BASE + 0x40u * (channel) + 0x0Cu)
#define DMA_READ_ADDR_TRIGGER(channel) (DMA_BASE + 0x40u * (channel) + 0x3Cu) /* AL3, starts the channel */
#define DMA_CTRL_ENABLE (1u << 0)
#define DMA_CTRL_WORDS (2u << 2)
#define DMA_CTRL_READ_ON (1u << 4) /* INCR_READ */
#define DMA_INTE0 (DMA_BASE + 0x404u)
#define DMA_INTS0 (DMA_BASE + 0x40Cu)
#define DREQ_PIO0_TX0 0u
#define DREQ_DMA_TIMER0 0x3Bu
#define DREQ_ALWAYS 0x3Fu /* TREQ_SEL: permanent request */

/* 3, 11 PIO */
#define PIO_CTRL (PIO0_BASE + 0x000u)
#define PIO_CTRL_RESTART_SM0 (1u << 4)
#define PIO_CTRL_ENABLE_SM0 (1u << 0)
#define PIO_TXF0 (PIO0_BASE + 0x010u)
#define PIO_INSTR_MEM0 (PIO0_BASE + 0x048u)
#define PIO_SM0_CLKDIV (PIO0_BASE + 0x0C8u)
#define PIO_SM0_EXECCTRL (PIO0_BASE + 0x0CCu)
#define PIO_SM0_SHIFTCTRL (PIO0_BASE + 0x0D0u)
#define PIO_SM0_INSTR (PIO0_BASE + 0x0D8u)
#define PIO_SM0_PINCTRL (PIO0_BASE + 0x0DCu)

/* 4.5, 12.5 PWM */
#define PWM_CSR(slice) (PWM_BASE + 0x14u * (slice) + 0x00u)
#define PWM_CC(slice) (PWM_BASE + 0x14u * (slice) + 0x0Cu)
#define PWM_TOP(slice) (PWM_BASE + 0x14u * (slice) + 0x10u)
#define PWM_CSR_ENABLE 1u

/* 4.9, 12.4 ADC */
#define ADC_CS (ADC_BASE + 0x0u)
#define ADC_CS_EN (1u << 0)
#define ADC_CS_START_ONCE (1u << 2)
#define ADC_CS_READY (1u << 8)
#define ADC_CS_AINSEL 12
#define ADC_RESULT (ADC_BASE + 0x4u)

/* 2.13, 7.4 The subsystems that the watchdog resets; 4.7, 12.9 Watchdog */
#define PSM_WDSEL (PSM_BASE + 0x8u)
#define WATCHDOG_CTRL (WATCHDOG_BASE + 0x0u)
#define WATCHDOG_CTRL_ENABLE (1u << 30)
#define WATCHDOG_LOAD (WATCHDOG_BASE + 0x4u)

/* 2.20, 12.15 Identity; 4.6, 12.8 Timer of microseconds */
#define SYSINFO_CHIP_ID (SYSINFO_BASE + 0x0u)
#define TIMER_RAW_LOW (TIMER_BASE + 0x28u)

/* 4.1, 12.7 USB: registers, and the memory that the core shares with the controller (DPSRAM) */
#define USB_ADDR_ENDP (USB_BASE + 0x00u)
#define USB_MAIN_CTRL (USB_BASE + 0x40u)
#define USB_MAIN_CTRL_CONTROLLER_EN (1u << 0) /* without PHY_ISO, with which the RP2350 isolates its PHY */
#define USB_SIE_CTRL (USB_BASE + 0x4Cu)
#define USB_SIE_CTRL_PULLUP_EN (1u << 16)
#define USB_SIE_CTRL_EP0_INT_1BUF (1u << 29)
#define USB_SOF_RD (USB_BASE + 0x48u)
#define USB_SIE_STATUS (USB_BASE + 0x50u) /* a written 1 clears a bit */
#define USB_SIE_STATUS_SUSPENDED (1u << 4)
#define USB_SIE_STATUS_SETUP_REC (1u << 17)
#define USB_SIE_STATUS_BUS_RESET (1u << 19)
#define USB_BUFF_STATUS (USB_BASE + 0x58u) /* two bits per endpoint number: IN, OUT; a written 1 clears */
#define USB_EP_STALL_ARM (USB_BASE + 0x68u)
#define USB_MUXING (USB_BASE + 0x74u)
#define USB_MUXING_TO_PHY (1u << 0)
#define USB_MUXING_SOFTCON (1u << 3)
#define USB_PWR (USB_BASE + 0x78u)
#define USB_PWR_VBUS_DETECT (1u << 2)
#define USB_PWR_VBUS_DETECT_OVERRIDE_EN (1u << 3)
#define USB_INTE (USB_BASE + 0x90u)
#define USB_INTS (USB_BASE + 0x98u)
#define USB_INT_BUFF_STATUS (1u << 4)
#define USB_INT_BUS_RESET (1u << 12)
#define USB_INT_DEV_SUSPEND (1u << 14)
#define USB_INT_SETUP_REQ (1u << 16)
#define USB_INT_DEV_SOF (1u << 17)
/* 4.1.2.5, 12.7.3.3: the words of the shared memory; is_out is 0 or 1 */
#define USB_ENDPOINT_CONTROL(number, is_out) (USB_DPRAM_BASE + 8u * (number) + 4u * (is_out)) /* not of 0 */
#define USB_ENDPOINT_ENABLE (1u << 31)
#define USB_ENDPOINT_INTERRUPT_PER_BUFFER (1u << 29)
#define USB_ENDPOINT_TYPE 26
#define USB_BUFFER_CONTROL(number, is_out) (USB_DPRAM_BASE + 0x80u + 8u * (number) + 4u * (is_out))
#define USB_BUFFER_LENGTH 0x3FFu
#define USB_BUFFER_AVAILABLE (1u << 10)
#define USB_BUFFER_STALL (1u << 11)
#define USB_BUFFER_PID 13
#define USB_BUFFER_FULL (1u << 15)

/* Arm: SysTick, interrupt controller, vector table */
#define SYST_CSR 0xE000E010u
#define SYST_CSR_ENABLE_CORE_CLOCK 5u
#define SYST_RVR 0xE000E014u
#define SYST_CVR 0xE000E018u
#define SYST_MASK 0xFFFFFFu /* the counter has 24 bits and counts down */
#define NVIC_ISER(irq) (0xE000E100u + 4u * ((irq) / 32u))
#define NVIC_ISPR(irq) (0xE000E200u + 4u * ((irq) / 32u))
#define NVIC_IPR(irq) (0xE000E400u + (irq) / 4u * 4u) /* a byte per interrupt; 0 is the highest priority */

#endif
