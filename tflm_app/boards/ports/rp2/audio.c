/* The output of play_board.h: two DMA channels play the two halves of a buffer in turns, and each channel
 * starts the other one.
 *
 * Source: RP2040 datasheet, section 2.5; RP2350 datasheet, section 12.6.
 */
#include "audio.h"

#include "clocks.h"
#include "output.h"
#include "play_board.h"
#include "registers.h"
#include "rp2.h"

#define HALF_WORDS (BOARD_BLOCK_SAMPLES * OUTPUT_WORDS)

static uint32_t halves[2][HALF_WORDS];
static volatile uint32_t playing; /* the half that the DMA reads */
static void (*audio_tick)(void);

static void silence(uint32_t half) {
    const uint32_t word = output_word(0);
    for (uint32_t i = 0; i < HALF_WORDS; i++) {
        halves[half][i] = word;
    }
}

void board_audio_start(void (*tick)(void)) {
    audio_tick = tick;
    clocks_release(RESET_DMA);
    const output_port_t port = output_prepare(BOARD_SAMPLE_RATE);
    for (uint32_t channel = 0; channel < 2; channel++) {
        silence(channel);
        REGISTER(DMA_READ_ADDR(channel)) = (uint32_t)halves[channel];
        REGISTER(DMA_WRITE_ADDR(channel)) = port.address;
        REGISTER(DMA_TRANS_COUNT(channel)) = HALF_WORDS; /* reloaded at each start */
        REGISTER(DMA_CTRL(channel)) = DMA_CTRL_ENABLE | DMA_CTRL_WORDS | DMA_CTRL_READ_ON |
                                      (1u - channel) << DMA_CTRL_CHAIN_TO | port.request << DMA_CTRL_TREQ;
    }
    REGISTER(DMA_INTE0) = 3;
    REGISTER(NVIC_ISER(IRQ_DMA_0)) = 1u << IRQ_DMA_0 % 32u;
    REGISTER(DMA_CTRL_TRIGGER(0)) = REGISTER(DMA_CTRL(0));
    output_start();
}

void audio_interrupt(void) {
    const uint32_t played = REGISTER(DMA_INTS0) & 1u ? 0 : 1;
    REGISTER(DMA_INTS0) = 1u << played;
    REGISTER(DMA_READ_ADDR(played)) = (uint32_t)halves[played]; /* for the next time it is started */
    playing = 1u - played;
    silence(played);
    rp2_check_second_core();
    rp2_show_state();
    audio_tick();
}

void board_audio_put(const int16_t samples[BOARD_BLOCK_SAMPLES]) {
    uint32_t *word = halves[1u - playing];
    for (uint32_t i = 0; i < BOARD_BLOCK_SAMPLES; i++) {
        for (uint32_t n = 0; n < OUTPUT_WORDS; n++) {
            *word++ = output_word(samples[i]);
        }
    }
}
