/* The functions that a board provides for the player (apps/play), besides board_init and board_stack_used.
 *
 *     MIDI UART ──interrupt──► FIFO ──board_midi_read──►┐
 *     USB ◄─► FIFOs ◄──board_usb_midi_*, _console_*────►│
 *     debug UART ◄─► FIFOs ◄──board_console_*──────────►│ main loop ──board_audio_put──► half that is free
 *     ADC ──DMA──► half that is full ──board_audio_get─►│                                   │
 *     audio DMA ──interrupt: tick────────────────────►──┘         half that is played ──► I2S, PWM ──► ear
 *
 * DMA plays the two halves of a buffer in turns, a block of 4 ms each. When a half begins to play, the
 * interrupt puts the end of the sound into the other one, which was played before, and calls `tick`; the main
 * loop then has 4 ms to put a block there. If it does not, the sound fades out in that half, and further ones
 * are silent: underruns, which the application counts. A block is rendered while the one before it plays, so
 * a MIDI byte is audible 4 to 8 ms after it arrived.
 *
 * A board may also have a sound input. It fills two halves of a buffer in the same way and at exactly the
 * same rate, so that there is one block of input per block of output.
 *
 * Nothing here blocks, allocates or waits for a peripheral. Real boards implement this header in
 * boards/<name>/ and boards/ports/; the host and the emulated boards share boards/ports/hosted/, which plays
 * from files.
 */
#ifndef PLAY_BOARD_H
#define PLAY_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef BOARD_SAMPLE_RATE
#define BOARD_SAMPLE_RATE 16000 /* Hz, of the output: 16000 or 48000 */
#endif
#define BOARD_BLOCK_SAMPLES (BOARD_SAMPLE_RATE / 250) /* 4 ms */
#define BOARD_INPUT_SAMPLES 64                        /* 4 ms at 16 kHz, independent of the output rate */

/* Starts output and input; both halves are silent. `tick` is called in the audio interrupt, once every 4 ms,
 * and must return within some tens of instructions. */
void board_audio_start(void (*tick)(void));

/* Copies a block to the half that is not playing, in the format of the output. `end` plays after it if the
 * next block is late. */
void board_audio_put(const int16_t samples[BOARD_BLOCK_SAMPLES], const int16_t end[BOARD_BLOCK_SAMPLES]);

/* Copies the latest block of input. Call it once per block of output, and only on boards that boards.cmake
 * lists with an input.
 *
 * One channel, int16. Full scale is the range of the converter. A high pass removes the resting voltage, so
 * silence is 0. With nothing connected, the block holds the noise of the converter, about -65 dB. Returns
 * false and a block of zeros if no complete block has arrived since the last call, because the converter does
 * not run or the file has ended. */
bool board_audio_get(int16_t samples[BOARD_INPUT_SAMPLES]);

/* Returns the number of input blocks that were overwritten before they were read, or that did not arrive
 * after the first block. Provided by the same boards as board_audio_get. */
uint32_t board_audio_lost(void);

/* Reads up to `capacity` bytes from the MIDI input; returns their number. The FIFO holds at least 64 bytes
 * (20 ms). A byte with a line error (framing, break, noise) is replaced by MIDI_DAMAGED (midi/midi_parser.h),
 * which also stands where bytes were lost. board_midi_lost counts the bytes that were dropped because the
 * FIFO was full, board_midi_errors those with a line error. */
size_t board_midi_read(uint8_t *bytes, size_t capacity);
uint32_t board_midi_lost(void);
uint32_t board_midi_errors(void);

/* The MIDI port of the USB, on boards that are built with BOARD_USB. board_usb_midi_read returns the bytes of
 * whole messages, and MIDI_DAMAGED if the bus went down after some had arrived; none is lost, and malformed
 * ones count as errors. board_usb_midi_write sends what the host is reading, and drops the rest. */
size_t board_usb_midi_read(uint8_t *bytes, size_t capacity);
void board_usb_midi_write(const uint8_t *bytes, size_t n_bytes);

/* Reads the next change at the panel of the board: either the MIDI controller (0 to 119) that a potentiometer
 * stands for, with its value (0 to 127), or a request of the button: BOARD_PANEL_DEMO to play the demo
 * phrase, BOARD_PANEL_LIVE to switch between live mode and notes. Returns false if nothing has changed or
 * there is no panel. */
#define BOARD_PANEL_DEMO 128
#define BOARD_PANEL_LIVE 129
bool board_panel_read(uint8_t *control, uint8_t *value);

/* Reads up to `capacity` bytes that were typed at the console; returns their number. */
size_t board_console_read(char *text, size_t capacity);

/* Sends as much of a text as fits without waiting; returns the number of bytes sent. */
size_t board_console_write(const char *text, size_t n_bytes);

/* Restarts the board in the boot loader of its chip, which takes a new image over USB. Returns false if it
 * has none. Call it only while the output is silent. */
bool board_start_loader(void);

/* Return the core cycles since an arbitrary moment, modulo 2^32 (from DWT, or from SysTick extended to 32
 * bits), and the core cycles per block. */
uint32_t board_cycles(void);
uint32_t board_cycles_per_block(void);

/* Starts the watchdog, which resets the board if it is not fed for 100 ms. */
void board_watchdog_start(void);
void board_watchdog_feed(void);

/* Sleeps until an interrupt has occurred since the last call. Returns false when the program should end,
 * which only the host and the emulated boards request. */
bool board_wait(void);

#ifdef __cplusplus
}
#endif

#endif
