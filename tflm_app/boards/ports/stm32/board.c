/* board.h and play_board.h for STM32: console, MIDI, cycle counter, watchdog, LEDs, sleep. audio.c and
 * input.c have the audio functions.
 *
 * Source: Armv7-M Architecture Reference Manual, sections B3.3 (SysTick) and C1.8 (DWT).
 */
#include "board.h"

#include <string.h>

#include "chip.h"
#include "pins.h"
#include "play_board.h"
#include "stm32.h"
#include "usb.h"

#define CONSOLE_BAUD 115200u
#define MIDI_BAUD 31250u
#define SAMPLE_BAUD 1000000u
#define BLOCKS_PER_SECOND 250u
#define WATCHDOG_COUNTS 800u /* 100 ms at 32 kHz / 4 (68 to 188 ms with the tolerance of its oscillator) */

static uint8_t console_received[64], console_waiting[512], midi_received[256], samples_waiting[1024];
uart_t console_uart = {.base = CHIP_CONSOLE_USART,
                       .received = {console_received, sizeof console_received, 0, 0},
                       .waiting = {console_waiting, sizeof console_waiting, 0, 0}};
uart_t midi_uart = {.base = CHIP_MIDI_USART, .received = {midi_received, sizeof midi_received, 0, 0}};
uart_t sample_uart = {.base = CHIP_USART6, .waiting = {samples_waiting, sizeof samples_waiting, 0, 0}};

static bool has_cycle_counter;
volatile uint32_t systick_periods;
static volatile bool is_awake;
static uint32_t n_midi_seen, midi_light;

/* --- board.h ------------------------------------------------------------------------------------------ */

static void start_cycles(void) {
    DEMCR |= DEMCR_TRACE;
    DWT_LAR = DWT_UNLOCK;
    DWT_CTRL |= DWT_CTRL_CYCLES;
    const uint32_t before = DWT_CYCCNT;
    __asm__ volatile("nop\n\tnop\n\tnop\n\tnop");
    has_cycle_counter = DWT_CYCCNT != before;
    SYST_RVR = board_cycles_per_block() - 1;
    SYST_CVR = 0;
    SYST_CSR = SYST_CSR_RUN;
}

void board_init(void) {
    static bool is_started;
    if (is_started) { /* already called by the start-up code; main calls it again */
        return;
    }
    is_started = true;
    start_cycles();
    uart_start(&console_uart, CHIP_CONSOLE_IRQ, clocks.usart_hz, CONSOLE_BAUD);
    uart_start(&midi_uart, CHIP_MIDI_IRQ, clocks.usart_hz, MIDI_BAUD);
    uart_start(&sample_uart, IRQ_USART6, clocks.usart6_hz, SAMPLE_BAUD);
    usb_start();
}

uint32_t board_instruction_count(void) { return 0; }

void board_print(const char *text) { uart_write(&console_uart, text, strlen(text)); }

void board_exit(int status) {
    (void)status;
    for (;;) {
        __asm__ volatile("wfi");
    }
}

/* --- time --------------------------------------------------------------------------------------------- */

uint32_t board_cycles_per_block(void) { return clocks.core_hz / BLOCKS_PER_SECOND; }

uint32_t board_cycles(void) {
    if (has_cycle_counter) {
        return DWT_CYCCNT;
    }
    uint32_t periods, ticks;
    do { /* repeat if a period ended in between */
        periods = systick_periods;
        ticks = board_cycles_per_block() - 1 - SYST_CVR;
    } while (periods != systick_periods);
    return periods * board_cycles_per_block() + ticks;
}

void board_wake(void) { is_awake = true; }

/* With interrupts masked, WFI still returns when one is pending, so none is lost between the test and WFI. */
bool board_wait(void) {
    interrupts_mask();
    if (!is_awake) {
        __asm__ volatile("dsb\n\twfi" ::: "memory");
    }
    is_awake = false;
    interrupts_unmask();
    return true;
}

void board_watchdog_start(void) {
    CHIP_DEBUG_FREEZE |= CHIP_DEBUG_FREEZE_WATCHDOG; /* a debugger that halts the core stops it, too */
    IWDG_KR = IWDG_START;
    IWDG_KR = IWDG_UNLOCK;
    IWDG_PR = 0; /* divides its clock by 4 */
    IWDG_RLR = WATCHDOG_COUNTS;
    IWDG_KR = IWDG_FEED;
}

void board_watchdog_feed(void) { IWDG_KR = IWDG_FEED; }

/* --- bytes -------------------------------------------------------------------------------------------- */

size_t board_midi_read(uint8_t *bytes, size_t capacity) { return uart_read(&midi_uart, bytes, capacity); }

uint32_t board_midi_lost(void) { return midi_uart.n_lost; }

uint32_t board_midi_errors(void) { return midi_uart.n_errors + usb_midi_errors(); }

size_t board_console_read(char *text, size_t capacity) {
    const size_t n = uart_read(&console_uart, text, capacity);
    return n + usb_console_read(text + n, capacity - n);
}

/* The USART sets the pace, with a small part of what a terminal at the USB can read. */
size_t board_console_write(const char *text, size_t n_bytes) {
    const size_t n = uart_write(&console_uart, text, n_bytes);
    usb_console_write(text, n);
    return n;
}

/* --- LEDs --------------------------------------------------------------------------------------------- */

#define LIGHT_BLOCKS 20u /* duration of a blink: 80 ms */

/* Green: half a second on, half a second off, as long as blocks are played. Red: every 4 s as many blinks as
 * the number of the first error. The third LED: a MIDI byte has arrived. */
void leds_step(void) {
    static uint32_t block;
    const uint32_t n_blinks = errors_first();
    const uint32_t phase = block++ % (4 * BLOCKS_PER_SECOND);
    const bool is_blink = phase % (4 * LIGHT_BLOCKS) < 2 * LIGHT_BLOCKS;
    pin_write(CHIP_LED_RUNNING, phase % BLOCKS_PER_SECOND < BLOCKS_PER_SECOND / 2);
    pin_write(CHIP_LED_ERROR, is_blink && phase / (4 * LIGHT_BLOCKS) < n_blinks);
    if (midi_uart.received.n_written != n_midi_seen) {
        n_midi_seen = midi_uart.received.n_written;
        midi_light = LIGHT_BLOCKS;
    }
    pin_write(CHIP_LED_MIDI, midi_light > 0);
    midi_light -= midi_light > 0;
}
