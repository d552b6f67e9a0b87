/* The sound input of play_board.h: TIM2 triggers the ADC 48 000 times per second, and DMA2, stream 0, fills
 * the two halves of a circular buffer with its samples. A block is converted to 16 kHz when it is read
 * (upsampler/upsampler.h), so that what sounds from 9 to 39 kHz does not fold to below 8 kHz.
 *
 * Rate. TIM2 counts the core clock and I2S has a PLL of its own, but both PLLs multiply the same oscillator,
 * by ratios with which 192 periods of TIM2 last exactly one block of output (clocks.c of the board). Input
 * and output therefore never drift apart, and no block has to be dropped or repeated. SysTick, which replaces
 * I2S if that does not run, also counts the core clock. Without the PLL of the core (error 2) its
 * clock is no multiple of 48 kHz, or has another oscillator: a block is then missing or dropped now and then,
 * and is counted.
 *
 * Phase. TIM2 starts in the interrupt in which a half of the output begins to play. Its delay is chosen so
 * that every half of the input is full LEAD_SAMPLES before a half of the output begins: in time even if other
 * interrupts interfere, and at most 0.25 ms early.
 *
 * Restart. After an overrun the ADC may send no more DMA requests. If blocks have arrived and then none for
 * 100 ms, ADC, DMA and timer are restarted.
 *
 * DC. The resistors at the input set its resting voltage. A first-order high pass at 2.5 Hz removes it and
 * has settled within 0.8 s.
 *
 * Cost per block: 9 700 instructions on Cortex-M4F for the filter, and those of the high pass. State: 1 kB.
 * Source: RM0090 sections 10.3, 13.8 and 18.3, RM0433 sections 15.3, 25.4 and 39.3.
 */
#include <string.h>

#include "chip.h"
#include "play_board.h"
#include "stm32.h"
#include "upsampler/upsampler.h"

#define RATE_HZ 48000u
#define N_SAMPLES (RATE_HZ / 250u) /* of a half of the buffer */
#define LEAD_SAMPLES 12u
#define N_TRANSFERS (2u * N_SAMPLES)
#define MEAN_SHIFT 10      /* 16 kHz / 2^10 / (2 pi) = 2.5 Hz */
#define MISSING_BLOCKS 25u /* 100 ms without a block: the input has stopped */

/* The buffer is in uncached memory that the DMA can access. */
static uint16_t input_halves[2][N_SAMPLES] __attribute__((aligned(4), section(CHIP_DMA_SECTION)));
static volatile uint32_t n_filled;          /* number of halves since the start; written by the interrupt */
static volatile bool is_waiting;            /* waits for a half of the output to begin */
static uint32_t n_taken, n_missing, n_lost; /* n_missing: blocks in succession */
static int32_t mean_q10;
static downsampler_t downsampler;

static void start_dma(void) {
    CHIP_ROUTE_INPUT_DMA();
    DMA2_LIFCR = DMA_STREAM0_FLAGS;
    DMA2_S0PAR = CHIP_INPUT_DATA;
    DMA2_S0M0AR = (uint32_t)(uintptr_t)input_halves;
    DMA2_S0NDTR = N_TRANSFERS;
    DMA2_S0CR = CHIP_INPUT_DMA_REQUEST | DMA_PRIORITY_HIGH | DMA_16_BITS | DMA_MEMORY_STEPS | DMA_CIRCULAR |
                DMA_INTERRUPTS;
    DMA2_S0CR |= DMA_ENABLE;
}

void input_start(void) {
    adc_start_input();
    start_dma();
    TIM2_ARR = clocks.timer_hz / RATE_HZ - 1;
    TIM2_CR2 = TIM_TRIGGERS_BY_UPDATE;
    interrupt_enable(IRQ_DMA2_STREAM0, AUDIO_PRIORITY);
    is_waiting = true;
}

/* TIM2 counts down, so its initial count sets the time of the first sample. The last sample of the first half
 * is then due LEAD_SAMPLES before the end of the next half of the output. */
void input_step(void) {
    if (is_waiting) {
        is_waiting = false;
        TIM2_CNT = (N_SAMPLES + 1u - LEAD_SAMPLES) * (TIM2_ARR + 1u) - 1u;
        TIM2_CR1 = TIM_DOWN | TIM_ENABLE;
    }
}

void input_interrupt(void) {
    const uint32_t flags = DMA2_LISR & DMA_STREAM0_FLAGS;
    DMA2_LIFCR = flags;
    n_filled += (flags & DMA_STREAM0_HALF) != 0 ? 1u : 0u;
    n_filled += (flags & DMA_STREAM0_COMPLETE) != 0 ? 1u : 0u;
}

/* The DMA restarts with the first half, so n_filled must be even. */
static void restart(void) {
    TIM2_CR1 = 0;
    DMA2_S0CR &= ~DMA_ENABLE; /* sets a flag, and takes effect when the current transfer has ended */
    (void)wait_until(DMA2_S0CR_ADDRESS, DMA_ENABLE, 0);
    adc_resume_input();
    start_dma();
    n_filled += n_filled % 2u;
    n_taken = n_filled;
    is_waiting = true;
}

static void downsample(const uint16_t half[N_SAMPLES], int16_t samples[BOARD_INPUT_SAMPLES]) {
    int16_t centred[N_SAMPLES];
    for (uint32_t i = 0; i < N_SAMPLES; i++) {
        centred[i] = (int16_t)(half[i] - 32768);
    }
    downsampler_process(&downsampler, centred, samples);
}

/* Subtracts the mean, which moves towards each sample by 2^-MEAN_SHIFT of the distance. */
static void subtract_mean(int16_t samples[BOARD_INPUT_SAMPLES]) {
    for (uint32_t i = 0; i < BOARD_INPUT_SAMPLES; i++) {
        const int32_t x = samples[i] - (mean_q10 >> MEAN_SHIFT);
        mean_q10 += x;
        samples[i] = (int16_t)(x > INT16_MAX ? INT16_MAX : x < INT16_MIN ? INT16_MIN : x);
    }
}

bool board_audio_get(int16_t samples[BOARD_INPUT_SAMPLES]) {
    const uint32_t filled = n_filled;
    if (filled == n_taken) {
        n_lost += filled > 0 ? 1u : 0u;
        if (++n_missing == MISSING_BLOCKS) {
            if (filled == 0) {
                errors_report(ERROR_NO_INPUT);
            } else {
                n_missing = 0;
                restart();
            }
        }
        memset(samples, 0, BOARD_INPUT_SAMPLES * sizeof *samples);
        return false;
    }
    n_missing = 0;
    n_lost += filled - n_taken - 1u;
    n_taken = filled;
    downsample(input_halves[(filled - 1u) % 2u], samples);
    subtract_mean(samples);
    return true;
}

uint32_t board_audio_lost(void) { return n_lost; }
