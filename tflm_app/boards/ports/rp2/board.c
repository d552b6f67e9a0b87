/* board.h and play_board.h for the Picos, except audio (audio.c) and potentiometers (panel.c).
 *
 * The LED shows the state of the board: every two seconds one flash if all is well, two if the crystal did
 * not start, three if the PLL did not lock, four if the second core did not start; constantly dark or lit if
 * no sound plays.
 *
 * Source: RP2040 datasheet, sections 2.13 and 4.7; RP2350 datasheet, sections 7.4, 8.5 and 12.9.
 */
#include "board.h"

#include <string.h>

#include "clocks.h"
#include "pins.h"
#include "play_board.h"
#include "registers.h"
#include "rp2.h"
#include "uart.h"
#include "usb.h"

#define CONSOLE_BAUD 115200u
#define MIDI_BAUD 31250u
#define WATCHDOG_US 100000u
#define LED_BLOCKS 500u      /* of 4 ms */
#define LED_FLASH_BLOCKS 50u /* half lit, half dark */
#define PRINT_ROUNDS 100000u
#define ERROR_NO_SECOND_CORE 3u

static uart_t console, midi;
static uint32_t error; /* a clocks_error_t, or ERROR_NO_SECOND_CORE; 0 if there is none */

/* --- start ------------------------------------------------------------------------------------------ */

void rp2_start(void) {
    error = clocks_start();
    clocks_release(RESET_IO_BANK0 | RESET_PADS_BANK0 | RESET_UART0 | RESET_UART1);
    REGISTER(SIO_BASE + SIO_GPIO_OE_SET) = 1u << PIN_LED;
    pin_connect(PIN_LED, PIN_FUNCTION_SIO, PAD_OUTPUT);
    pin_connect(PIN_CONSOLE_TX, PIN_FUNCTION_UART, PAD_OUTPUT);
    pin_connect(PIN_CONSOLE_RX, PIN_FUNCTION_UART, PAD_PULL_UP);
    pin_connect(PIN_MIDI_RX, PIN_FUNCTION_UART, PAD_PULL_UP);
    uart_start(&console, UART0_BASE, IRQ_UART0, CONSOLE_BAUD);
    uart_start(&midi, UART1_BASE, IRQ_UART1, MIDI_BAUD);
    board_init();
    if (!rp2_start_second_core() && error == CLOCKS_FULL_SPEED) {
        error = ERROR_NO_SECOND_CORE;
    }
    if (error == CLOCKS_NO_CRYSTAL) {
        board_print("error 1: the crystal does not start; too slow to play\r\n");
    } else if (error == CLOCKS_NO_PLL) {
        board_print("error 2: the PLL does not lock; too slow to play\r\n");
    } else if (error == ERROR_NO_SECOND_CORE) {
        board_print("error 3: the second core does not start; one core plays, with fewer voices\r\n");
    }
    usb_start();
    rp2_start_panel();
}

void rp2_console_interrupt(void) { uart_receive(&console); }

void rp2_midi_interrupt(void) { uart_receive(&midi); }

void rp2_midi_inject(uint8_t byte) { uart_inject(&midi, byte); }

void rp2_show_state(void) {
    static uint32_t block;
    block = block + 1u < LED_BLOCKS ? block + 1u : 0;
    const uint32_t n_flashes = 1u + error;
    pin_set_led(block < n_flashes * LED_FLASH_BLOCKS && block % LED_FLASH_BLOCKS < LED_FLASH_BLOCKS / 2u);
}

/* --- board.h ---------------------------------------------------------------------------------------- */

static uint32_t last_tick;
static uint32_t n_cycles;

void board_init(void) {
    REGISTER(SYST_RVR) = SYST_MASK;
    REGISTER(SYST_CVR) = 0;
    REGISTER(SYST_CSR) = SYST_CSR_ENABLE_CORE_CLOCK;
    last_tick = REGISTER(SYST_CVR);
}

uint32_t board_instruction_count(void) { return 0; }

void board_print(const char *text) {
    size_t n_bytes = strlen(text);
    for (uint32_t round = 0; n_bytes > 0 && round < PRINT_ROUNDS; round++) {
        const size_t n = uart_write(&console, text, n_bytes);
        text += n;
        n_bytes -= n;
    }
}

void board_exit(int status) {
    (void)status;
    for (;;) {
        __asm__ volatile("wfi");
    }
}

/* --- play_board.h ----------------------------------------------------------------------------------- */

uint32_t board_cycles(void) {
    const uint32_t now = REGISTER(SYST_CVR);
    n_cycles += (last_tick - now) & SYST_MASK;
    last_tick = now;
    return n_cycles;
}

uint32_t board_cycles_per_block(void) { return clocks_core_hz() / 250u; }

size_t board_midi_read(uint8_t *bytes, size_t capacity) { return uart_read(&midi, bytes, capacity); }

uint32_t board_midi_lost(void) { return midi.n_lost; }

uint32_t board_midi_errors(void) { return midi.n_errors + usb_midi_errors(); }

size_t board_console_read(char *text, size_t capacity) {
    const size_t n = uart_read(&console, (uint8_t *)text, capacity);
    return n + usb_console_read(text + n, capacity - n);
}

/* The UART sets the pace, with a small part of what a terminal at the USB can read. */
size_t board_console_write(const char *text, size_t n_bytes) {
    const size_t n = uart_write(&console, text, n_bytes);
    usb_console_write(text, n);
    return n;
}

void board_watchdog_start(void) {
    REGISTER(PSM_WDSEL) = PSM_WATCHDOG_RESETS;
    const uint32_t cycles_per_us = clocks_reference_hz() / 1000000u;
#ifdef WATCHDOG_TICK_CTRL
    REGISTER(WATCHDOG_TICK) = cycles_per_us;
    REGISTER(WATCHDOG_TICK_CTRL) = 1;
#else
    REGISTER(WATCHDOG_TICK) = WATCHDOG_TICK_ENABLE | cycles_per_us;
#endif
    board_watchdog_feed();
    REGISTER(WATCHDOG_CTRL + SET_BITS) = WATCHDOG_CTRL_ENABLE;
}

void board_watchdog_feed(void) { REGISTER(WATCHDOG_LOAD) = WATCHDOG_US * WATCHDOG_COUNTS_PER_TICK; }

bool board_wait(void) {
    __asm__ volatile("wfe"); /* returns immediately if an interrupt has set the event register */
    return true;
}
