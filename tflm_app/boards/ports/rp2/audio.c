/* The output of play_board.h: a DMA channel plays a half of a buffer and starts a second channel, which
 * writes the address of the other half to the first one, and so starts it again.
 *
 * The addresses come from a table whose end the second channel wraps around, so the DMA stays in the buffer
 * whatever the processor does: if interrupts are masked, it repeats the last two blocks until the watchdog
 * resets the board.
 *
 * Source: RP2040 datasheet, section 2.5; RP2350 datasheet, section 12.6.
 */
#include "audio.h"

#include <string.h>

#include "clocks.h"
#include "output.h"
#include "play_board.h"
#include "registers.h"
#include "rp2.h"

#define HALF_WORDS (BOARD_BLOCK_SAMPLES * OUTPUT_WORDS)

enum { PLAYER = 0, RELOADER = 1 }; /* DMA channels */

static uint32_t halves[2][HALF_WORDS];
/* What RELOADER reads, in a ring of 8 bytes. */
static const uint32_t *const next_half[2] __attribute__((aligned(8))) = {halves[1], halves[0]};
static void (*audio_tick)(void);

static int16_t sound_end[BOARD_BLOCK_SAMPLES];

static void fill(uint32_t half, const int16_t samples[BOARD_BLOCK_SAMPLES]) {
    uint32_t *word = halves[half];
    for (uint32_t i = 0; i < BOARD_BLOCK_SAMPLES; i++) {
        for (uint32_t n = 0; n < OUTPUT_WORDS; n++) {
            *word++ = output_word(samples[i]);
        }
    }
}

void board_audio_start(void (*tick)(void)) {
    audio_tick = tick;
    clocks_release(RESET_DMA);
    const output_port_t port = output_prepare(BOARD_SAMPLE_RATE);
    audio_mute();
    REGISTER(DMA_READ_ADDR(RELOADER)) = (uint32_t)next_half;
    REGISTER(DMA_WRITE_ADDR(RELOADER)) = DMA_READ_ADDR_TRIGGER(PLAYER);
    REGISTER(DMA_TRANS_COUNT(RELOADER)) = 1; /* counts are reloaded at each start */
    /* RELOADER chains to itself, which starts no channel. */
    REGISTER(DMA_CTRL(RELOADER)) = DMA_CTRL_ENABLE | DMA_CTRL_WORDS | DMA_CTRL_READ_ON |
                                   3u << DMA_CTRL_RING_SIZE | RELOADER << DMA_CTRL_CHAIN_TO |
                                   DREQ_ALWAYS << DMA_CTRL_TREQ;
    REGISTER(DMA_WRITE_ADDR(PLAYER)) = port.address;
    REGISTER(DMA_TRANS_COUNT(PLAYER)) = HALF_WORDS;
    REGISTER(DMA_CTRL(PLAYER)) = DMA_CTRL_ENABLE | DMA_CTRL_WORDS | DMA_CTRL_READ_ON |
                                 RELOADER << DMA_CTRL_CHAIN_TO | port.request << DMA_CTRL_TREQ;
    REGISTER(DMA_INTE0) = 1u << PLAYER;
    REGISTER(NVIC_ISER(IRQ_DMA_0)) = 1u << IRQ_DMA_0 % 32u;
    REGISTER(DMA_READ_ADDR_TRIGGER(PLAYER)) = (uint32_t)halves[0];
    output_start();
}

/* Returns the half that plays. The end of a half is the beginning of the other one, so this is also right
 * while RELOADER has not yet written the next address. */
static uint32_t playing(void) {
    const uint32_t address = REGISTER(DMA_READ_ADDR(PLAYER));
    return address >= (uint32_t)halves[1] && address < (uint32_t)halves[2] ? 1 : 0;
}

void audio_mute(void) {
    memset(sound_end, 0, sizeof sound_end);
    fill(0, sound_end);
    fill(1, sound_end);
}

void audio_interrupt(void) {
    REGISTER(DMA_INTS0) = 1u << PLAYER;
    fill(1u - playing(), sound_end);
    memset(sound_end, 0, sizeof sound_end);
    rp2_check_second_core();
    rp2_show_state();
    audio_tick();
}

void board_audio_put(const int16_t samples[BOARD_BLOCK_SAMPLES], const int16_t end[BOARD_BLOCK_SAMPLES]) {
    fill(1u - playing(), samples);
    memcpy(sound_end, end, sizeof sound_end);
}
