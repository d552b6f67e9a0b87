/* Registers of the core, and of peripherals that are the same in both chips.
 *
 * Sources: Armv7-M Architecture Reference Manual, sections B3.2 to B3.5 and C1.8; RM0090 (STM32F407), RM0433
 * (STM32H743). chip.h of the board defines what differs.
 */
#ifndef REGISTERS_H
#define REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef FAKE_REGISTERS /* tests on the host replace the registers by memory */
volatile uint32_t *fake_register(uintptr_t address);
#define REGISTER(address) (*fake_register(address))
#else
#define REGISTER(address) (*(volatile uint32_t *)(address))
#endif

/* --- core ------------------------------------------------------------------------------------------- */

#define SYST_CSR REGISTER(0xE000E010u)
#define SYST_RVR REGISTER(0xE000E014u)
#define SYST_CVR REGISTER(0xE000E018u)
#define SYST_CSR_RUN 7u /* counts the core clock, with its interrupt */
#define ICSR REGISTER(0xE000ED04u)
#define ICSR_SYST_PENDING (1u << 26)
#define VTOR REGISTER(0xE000ED08u)
#define AIRCR REGISTER(0xE000ED0Cu)
#define AIRCR_RESET (0x05FA0000u | 1u << 2) /* VECTKEY, SYSRESETREQ */
#define MPU_CTRL REGISTER(0xE000ED94u)

#define DEMCR REGISTER(0xE000EDFCu)
#define DEMCR_TRACE (1u << 24)
#define DWT_CTRL REGISTER(0xE0001000u)
#define DWT_CTRL_CYCLES 1u
#define DWT_CYCCNT REGISTER(0xE0001004u)
#define DWT_LAR REGISTER(0xE0001FB0u) /* the DWT of the M7 is locked after reset */
#define DWT_UNLOCK 0xC5ACCE55u

#define NVIC_ISER(irq) REGISTER(0xE000E100u + 4u * ((irq) / 32u))
#define NVIC_ICER(irq) REGISTER(0xE000E180u + 4u * ((irq) / 32u))
#define NVIC_ICPR(irq) REGISTER(0xE000E280u + 4u * ((irq) / 32u))
#define NVIC_ISPR(irq) REGISTER(0xE000E200u + 4u * ((irq) / 32u))
#define NVIC_IPR(irq) REGISTER(0xE000E400u + ((irq) & ~3u))

/* The tests on the host run the drivers without the instructions of the core. */
#ifdef FAKE_REGISTERS
#define CORE_INSTRUCTION(text) ((void)0)
#else
#define CORE_INSTRUCTION(text) __asm__ volatile(text ::: "memory")
#endif

static inline void memory_barrier(void) { CORE_INSTRUCTION("dsb\n\tisb"); }

static inline void interrupts_mask(void) { CORE_INSTRUCTION("cpsid i"); }

static inline void interrupts_unmask(void) { CORE_INSTRUCTION("cpsie i\n\tisb"); }

/* FAULTMASK: masks faults, too, but for those that the core cannot continue after. */
static inline void faults_mask(void) { CORE_INSTRUCTION("cpsid f"); }

static inline void faults_unmask(void) { CORE_INSTRUCTION("cpsie f"); }

static inline void interrupt_enable(uint32_t irq, uint32_t priority) {
    const uint32_t shift = 8u * (irq % 4u) + 4u; /* the upper 4 bits of 8 exist; 0 is the most urgent */
    NVIC_IPR(irq) = (NVIC_IPR(irq) & ~(15u << shift)) | priority << shift;
    NVIC_ISER(irq) = 1u << irq % 32u;
}

static inline void interrupt_pend(uint32_t irq) { NVIC_ISPR(irq) = 1u << irq % 32u; }

/* --- interrupt numbers (RM0090 section 12.2, RM0433 section 19.1) --------------------------------------- */

#define IRQ_DMA1_STREAM5 16u
#define IRQ_USART2 38u
#define IRQ_USART3 39u
#define IRQ_DMA2_STREAM0 56u
#define IRQ_USART6 71u

/* --- GPIO (RM0090 section 8.4, RM0433 section 11.4) --------------------------------------------------- */

typedef struct {
    uint32_t port; /* 0 for A, and so on */
    uint32_t pin;
} pin_t;

enum { PIN_INPUT = 0, PIN_OUTPUT = 1, PIN_ALTERNATE = 2, PIN_ANALOG = 3 };

#define GPIO(port, offset) REGISTER(CHIP_GPIO + 0x400u * (port) + (offset))
#define GPIO_MODER(port) GPIO(port, 0x00u)
#define GPIO_OTYPER(port) GPIO(port, 0x04u)
#define GPIO_OSPEEDR(port) GPIO(port, 0x08u)
#define GPIO_PUPDR(port) GPIO(port, 0x0Cu)
#define GPIO_IDR(port) GPIO(port, 0x10u)
#define GPIO_BSRR(port) GPIO(port, 0x18u)
#define GPIO_AFR(port, pin) GPIO(port, 0x20u + 4u * ((pin) / 8u))

/* --- DMA1, stream 5 (RM0090 section 10.5, RM0433 section 15.5) ----------------------------------------- */

#define DMA1_HISR REGISTER(CHIP_DMA1 + 0x04u)
#define DMA1_HIFCR REGISTER(CHIP_DMA1 + 0x0Cu)
#define DMA_STREAM5_HALF (1u << 10)
#define DMA_STREAM5_COMPLETE (1u << 11)
#define DMA_STREAM5_FLAGS (0x3Du << 6)
#define DMA1_S5CR REGISTER(CHIP_DMA1 + 0x88u)
#define DMA1_S5NDTR REGISTER(CHIP_DMA1 + 0x8Cu)
#define DMA1_S5PAR REGISTER(CHIP_DMA1 + 0x90u)
#define DMA1_S5M0AR REGISTER(CHIP_DMA1 + 0x94u)

/* --- DMA2, stream 0 ----------------------------------------------------------------------------------- */

#define DMA2_LISR REGISTER(CHIP_DMA2 + 0x00u)
#define DMA2_LIFCR REGISTER(CHIP_DMA2 + 0x08u)
#define DMA_STREAM0_HALF (1u << 4)
#define DMA_STREAM0_COMPLETE (1u << 5)
#define DMA_STREAM0_FLAGS 0x3Du
#define DMA2_S0CR_ADDRESS (CHIP_DMA2 + 0x10u)
#define DMA2_S0CR REGISTER(DMA2_S0CR_ADDRESS)
#define DMA2_S0NDTR REGISTER(CHIP_DMA2 + 0x14u)
#define DMA2_S0PAR REGISTER(CHIP_DMA2 + 0x18u)
#define DMA2_S0M0AR REGISTER(CHIP_DMA2 + 0x1Cu)

/* --- SxCR of both streams ------------------------------------------------------------------------------- */

#define DMA_ENABLE 1u
#define DMA_INTERRUPTS (1u << 3 | 1u << 4) /* half, complete */
#define DMA_TO_PERIPHERAL (1u << 6)        /* otherwise from the peripheral */
#define DMA_CIRCULAR (1u << 8)
#define DMA_MEMORY_STEPS (1u << 10)
#define DMA_16_BITS (1u << 11 | 1u << 13)
#define DMA_PRIORITY_HIGH (2u << 16)

/* --- TIM2, 32 bits (RM0090 section 18.4, RM0433 section 39.4) ------------------------------------------- */

#define TIM2_BASE 0x40000000u
#define TIM2_CR1 REGISTER(TIM2_BASE + 0x00u)
#define TIM2_CR2 REGISTER(TIM2_BASE + 0x04u)
#define TIM2_CNT REGISTER(TIM2_BASE + 0x24u)
#define TIM2_ARR REGISTER(TIM2_BASE + 0x2Cu)
#define TIM_ENABLE 1u
#define TIM_DOWN (1u << 4)
#define TIM_TRIGGERS_BY_UPDATE (2u << 4)

/* --- independent watchdog (RM0090 section 21.4; the chapter of this name in RM0433) --------------------- */

#define IWDG_KR REGISTER(CHIP_IWDG + 0x00u)
#define IWDG_PR REGISTER(CHIP_IWDG + 0x04u)
#define IWDG_RLR REGISTER(CHIP_IWDG + 0x08u)
#define IWDG_SR_ADDRESS (CHIP_IWDG + 0x0Cu)
#define IWDG_SR_UPDATING 3u /* RVU, PVU: of RLR, of PR */
#define IWDG_START 0xCCCCu
#define IWDG_UNLOCK 0x5555u
#define IWDG_FEED 0xAAAAu

/* --- waits -------------------------------------------------------------------------------------------- */

/* Polls until the bits of `mask` equal `value`; returns false after WAIT_POLLS polls. These take about 40 ms
 * at 16 MHz and 5 to 10 ms at full speed, many times what any of these clocks and peripherals needs. Every
 * wait in these boards is bounded, because a missing clock or peripheral must not stop the instrument. */
#define WAIT_POLLS 100000u
static inline bool wait_until(uintptr_t address, uint32_t mask, uint32_t value) {
    uint32_t polls = WAIT_POLLS;
    while (polls > 0 && (REGISTER(address) & mask) != value) {
        polls--;
    }
    return polls > 0;
}

/* Polls for an erasure of flash, several seconds long; they feed the watchdog. */
#ifdef FAKE_REGISTERS
#define ERASE_POLLS 1000u
#else
#define ERASE_POLLS 100000000u
#endif

#endif
