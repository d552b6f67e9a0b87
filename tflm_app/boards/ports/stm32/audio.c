/* The output of play_board.h: DMA1, stream 5, plays the two halves of a circular buffer to I2S3.
 *
 * If I2S does not run, SysTick plays the halves instead, and their samples leave by the sample USART: raw
 * int16, one channel, little-endian.
 *
 * Source: RM0090 sections 10.3 and 28.4, RM0433 section 15.3 and chapter 50.
 */
#include <string.h>

#include "chip.h"
#include "play_board.h"
#include "stm32.h"

#define N_TRANSFERS (2u * 2u * BOARD_BLOCK_SAMPLES)

typedef struct {
    int16_t left, right;
} stereo_t;

/* The buffer is in uncached memory that the DMA can access. */
static stereo_t halves[2][BOARD_BLOCK_SAMPLES] __attribute__((aligned(4), section(CHIP_DMA_SECTION)));
static stereo_t sound_end[BOARD_BLOCK_SAMPLES];
static volatile uint32_t playing; /* the half that the DMA reads */
static volatile bool is_i2s = true;
static void (*audio_tick)(void);

bool audio_is_i2s(void) { return is_i2s; }

static void begin_half(uint32_t half) {
    playing = half;
    memcpy(halves[1 - half], sound_end, sizeof halves[0]);
    memset(sound_end, 0, sizeof sound_end);
    leds_step();
    input_step();
    board_wake();
    audio_tick();
}

void audio_interrupt(void) {
    const uint32_t flags = DMA1_HISR & DMA_STREAM5_FLAGS;
    DMA1_HIFCR = flags;
    if (flags & (DMA_STREAM5_HALF | DMA_STREAM5_COMPLETE)) {
        begin_half((flags & DMA_STREAM5_COMPLETE) != 0 ? 0 : 1);
    }
}

void audio_play_half(void) {
    if (audio_tick == NULL) {
        return;
    }
    int16_t samples[BOARD_BLOCK_SAMPLES];
    begin_half(1 - playing);
    for (uint32_t i = 0; i < BOARD_BLOCK_SAMPLES; i++) {
        samples[i] = halves[playing][i].left;
    }
    uart_write(&sample_uart, samples, sizeof samples);
}

/* Returns whether the DMA has begun to transfer samples. */
static bool start_i2s(void) {
    if (!clocks_start_sound()) {
        return false;
    }
    i2s_start();
    CHIP_ROUTE_DMA();
    DMA1_HIFCR = DMA_STREAM5_FLAGS;
    DMA1_S5PAR = CHIP_I2S_DATA;
    DMA1_S5M0AR = (uint32_t)(uintptr_t)halves;
    DMA1_S5NDTR = N_TRANSFERS;
    DMA1_S5CR = CHIP_DMA_REQUEST | DMA_PRIORITY_HIGH | DMA_16_BITS | DMA_MEMORY_STEPS | DMA_CIRCULAR |
                DMA_TO_PERIPHERAL | DMA_INTERRUPTS;
    DMA1_S5CR |= DMA_ENABLE;
    i2s_run();
    uint32_t polls = WAIT_POLLS;
    while (polls > 0 && DMA1_S5NDTR == N_TRANSFERS) {
        polls--;
    }
    return polls > 0;
}

void audio_mute(void) { memset(halves, 0, sizeof halves); }

void board_audio_start(void (*tick)(void)) {
    audio_mute();
    audio_tick = tick;
    const bool is_running = start_i2s();
    board_watchdog_feed();
    if (!is_running) {
        errors_record(ERROR_NO_SOUND_CLOCK);
    } else if (!codec_start()) { /* the codec needs the clocks of I2S */
        errors_record(ERROR_NO_CODEC);
    }
    board_watchdog_feed();
    input_start();
    errors_print();
    board_watchdog_feed();
    if (is_running) {
        DMA1_HIFCR = DMA_STREAM5_FLAGS;
        interrupt_enable(IRQ_DMA1_STREAM5, AUDIO_PRIORITY);
    }
    is_i2s = is_running;
}

void board_audio_put(const int16_t samples[BOARD_BLOCK_SAMPLES], const int16_t end[BOARD_BLOCK_SAMPLES]) {
    stereo_t *const half = halves[1 - playing];
    for (uint32_t i = 0; i < BOARD_BLOCK_SAMPLES; i++) {
        half[i] = (stereo_t){samples[i], samples[i]};
        sound_end[i] = (stereo_t){end[i], end[i]};
    }
}
