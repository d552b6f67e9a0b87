/* The vector table of the STM32 boards, and their start-up from reset to main.
 *
 * Source: Armv7-M Architecture Reference Manual, sections B1.5.2-3; RM0090 section 12.2, RM0433 section 19.1.
 */
#include "board.h"
#include "chip.h"
#include "reset.h"
#include "stm32.h"
#include "usb.h"

int main(void);
void board_start(void); /* the entry of the image */

void board_fault(void) {
    audio_mute();
    board_print("fault\r\n");
    for (;;) {                         /* until the watchdog resets the board */
        uart_interrupt(&console_uart); /* sends the text, because interrupts are masked here */
    }
}

/* If I2S does not run, SysTick paces the output. */
static void systick_interrupt(void) {
    systick_periods++;
    if (!audio_is_i2s()) {
        audio_play_half();
    }
}

static void usart2_interrupt(void) {
    board_wake();
    uart_interrupt(CHIP_USART2_ROLE);
}

static void usart3_interrupt(void) {
    board_wake();
    uart_interrupt(CHIP_USART3_ROLE);
}

static void usart6_interrupt(void) {
    board_wake();
    uart_interrupt(&sample_uart);
}

/* Nothing but the stack pointer is certain here; see loader.c. */
void board_start(void) {
    interrupts_mask();
    loader_start_if_asked();
    board_reset();
}

typedef void (*vector_t)(void);

#pragma GCC diagnostic ignored "-Woverride-init" /* handlers replace that of faults */
/* The initial stack pointer, then the handlers of exceptions 1 to 15, beginning with reset, and of
 * interrupts. */
__attribute__((section(".vectors"), used)) static const vector_t vectors[16 + CHIP_N_INTERRUPTS] = {
    [0] = (vector_t)link_stack_end,
    [1 ... 15 + CHIP_N_INTERRUPTS] = cortex_m_fault,
    [1] = board_start,
    [15] = systick_interrupt,
    [16 + IRQ_DMA1_STREAM5] = audio_interrupt,
    [16 + IRQ_USART2] = usart2_interrupt,
    [16 + IRQ_USART3] = usart3_interrupt,
    [16 + IRQ_DMA2_STREAM0] = input_interrupt,
    [16 + IRQ_USART6] = usart6_interrupt,
#ifdef BOARD_USB
    [16 + CHIP_OTG_IRQ] = usb_interrupt,
#endif
};

void board_run(void) {
    VTOR = (uint32_t)(uintptr_t)vectors; /* a boot loader may have left its own, and interrupts on */
    for (uint32_t irq = 0; irq < CHIP_N_INTERRUPTS; irq += 32) {
        NVIC_ICER(irq) = ~0u;
        NVIC_ICPR(irq) = ~0u;
    }
    SYST_CSR = 0;
    interrupts_unmask();
    chip_start();
    clocks_start();
    pins_start();
    board_init();
    panel_start();
    board_exit(main());
}
