/* Runs the output of an STM32 board on the host; its registers are in memory. Plays a block, prints the
 * largest sample of both halves, mutes the output as a fault does, and prints it again. */
#include "boards/ports/stm32/audio.c"

#include <stdio.h>
#include <stdlib.h>

uart_t sample_uart;

volatile uint32_t *fake_register(uintptr_t address) {
    static uint32_t others;
    (void)address;
    return &others;
}

size_t uart_write(uart_t *uart, const void *bytes, size_t n_bytes) {
    (void)uart, (void)bytes;
    return n_bytes;
}

bool clocks_start_sound(void) { return false; }
void i2s_start(void) {}
void i2s_run(void) {}
bool codec_start(void) { return true; }
void input_start(void) {}
void input_step(void) {}
void leds_step(void) {}
void board_wake(void) {}
void board_watchdog_feed(void) {}
void errors_record(error_t error) { (void)error; }
void errors_print(void) {}

static void tick(void) {}

static void print_largest(void) {
    int largest = 0;
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < BOARD_BLOCK_SAMPLES; i++) {
            const int size = abs(halves[half][i].left) + abs(halves[half][i].right);
            largest = size > largest ? size : largest;
        }
    }
    printf("%d\n", largest);
}

int main(void) {
    int16_t samples[BOARD_BLOCK_SAMPLES], end[BOARD_BLOCK_SAMPLES];
    for (int i = 0; i < BOARD_BLOCK_SAMPLES; i++) {
        samples[i] = 1000;
        end[i] = 10;
    }
    board_audio_start(tick);
    board_audio_put(samples, end);
    audio_play_half();
    print_largest();
    audio_mute();
    print_largest();
    return 0;
}
