/* What a board offers the player (apps/play), besides board_init and board_stack_used of board.h.
 *
 *     MIDI UART ──interrupt──► FIFO ──board_midi_read──►┐
 *     debug UART ◄─► FIFOs ◄──board_console_*──────────►│ main loop ──board_audio_put──► half that is free
 *     ADC ──DMA──► half that is full ──board_audio_get─►│                                   │
 *     audio DMA ──interrupt: tick────────────────────►──┘            half that plays ──► I2S, PWM ──► ear
 *
 * Sound leaves by DMA from two halves of a buffer, a block of 4 ms each, in turns. Whenever a half begins to
 * play, the interrupt clears the other one, which has been played, and calls `tick`; the main loop has 4 ms
 * then to put a block there. If it does not, that half plays silence: an underrun, which the application
 * counts. So a MIDI byte is heard 4 to 8 ms after it came.
 *
 * A board may have a sound input, too (BOARD_HAS_INPUT), which fills two halves of a buffer in the same way
 * and at exactly the same pace, so that every block of output has its block of input.
 *
 * Nothing here blocks, allocates or waits for a peripheral. Real boards implement it in boards/<name>/, those
 * that are emulated in boards/ports/hosted/, from files.
 */
#ifndef PLAY_BOARD_H
#define PLAY_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef BOARD_SAMPLE_RATE
#define BOARD_SAMPLE_RATE 16000 /* Hz, of the output: 16000 or 48000 */
#endif
#define BOARD_BLOCK_SAMPLES (BOARD_SAMPLE_RATE / 250) /* 4 ms */

/* Starts the sound, in and out: both halves silent. `tick` is called in the audio interrupt, once every 4 ms,
 * and returns within some tens of instructions. */
void board_audio_start(void (*tick)(void));

/* Copies a block to the half that is not playing, in the format of the output. */
void board_audio_put(const int16_t samples[BOARD_BLOCK_SAMPLES]);

#ifdef BOARD_HAS_INPUT
#define BOARD_INPUT_SAMPLES 64 /* 4 ms at 16 kHz, at whatever rate the output is */

/* Copies the block that came in last; asked for once for every block of output. One channel, int16: full
 * scale is what the converter takes, silence is 0 whatever its resting voltage is (a high pass takes that
 * off). Where nothing is connected that is the converter's noise, some -65 dB. Returns false, with zeros,
 * where no whole block has come since the last call: the converter does not run, or the file has ended. */
bool board_audio_get(int16_t samples[BOARD_INPUT_SAMPLES]);

/* Blocks that came and were not asked for before the next one, or, since the first one, did not come. */
uint32_t board_audio_lost(void);
#endif

/* Takes up to `capacity` bytes that came at the MIDI input since; returns how many. Their FIFO holds at least
 * 64 bytes (20 ms); board_midi_lost counts those that it had no room for. */
size_t board_midi_read(uint8_t *bytes, size_t capacity);
uint32_t board_midi_lost(void);

/* Takes the next change at the board's own panel: a MIDI controller (0 to 119) that a potentiometer stands
 * for and its value (0 to 127), or what the button asks for: BOARD_PANEL_DEMO, the phrase, or
 * BOARD_PANEL_LIVE, to play by the sound that comes in, or by notes again. Returns false where nothing has
 * changed, or there is no panel. */
#define BOARD_PANEL_DEMO 128
#define BOARD_PANEL_LIVE 129
bool board_panel_read(uint8_t *control, uint8_t *value);

/* Takes up to `capacity` bytes typed at the console; returns how many. */
size_t board_console_read(char *text, size_t capacity);

/* Sends as much of a text as there is room for at once; returns how many bytes. */
size_t board_console_write(const char *text, size_t n_bytes);

/* Cycles of the core since some moment, modulo 2^32 (DWT, or SysTick continued), and how many a block lasts.
 */
uint32_t board_cycles(void);
uint32_t board_cycles_per_block(void);

/* Starts the watchdog, which resets the board unless it is fed every 100 ms. */
void board_watchdog_start(void);
void board_watchdog_feed(void);

/* Sleeps until an interrupt has come since the last call. Returns false where the program is to end, which
 * only an emulated board wants. */
bool board_wait(void);

#endif
