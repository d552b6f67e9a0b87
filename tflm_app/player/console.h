/* The text console of the player: it executes a line of input and prints an answer, and never blocks.
 *
 *     help                 lists the commands
 *     stats                shows load (last and worst block), underruns, stolen voices, stack, and MIDI bytes
 *                          that were lost or had line errors; on two cores also how many underruns began
 *                          while one waited for the other
 *     clear                resets the worst load, underruns and stolen voices
 *     notes                shows what each voice is doing
 *     program [NUMBER]     lists the instruments, or selects one for later notes
 *     channel [NUMBER]     selects the MIDI channel, 1 to 16; 0 for all but 10
 *     multi [0, 1]         1 lets a program change apply to its channel alone, 0 to all; shows those of the
 *                          channels
 *     transpose [NUMBER]   moves later notes by -24 to 24 semitones
 *     tune [CENTS]         moves the pitch by -100 to 100 cents
 *     velocity [NUMBER]    lists the velocity curves, or selects one for later notes
 *     live [0, 1]          1 follows the sound input, 0 plays notes
 *     gain [DB, auto]      amplifies the sound input by -80 to 80 dB, or as its level asks for (input_gain.h)
 *     demo                 plays a phrase of notes
 *     panic                ends all sound, the phrase and live mode
 *     save                 keeps the settings for the next start (settings/settings.h)
 *     defaults             restores the settings of a new instrument, and keeps them
 *     bootsel, dfu         restart the board in the boot loader of its chip, which takes a new image over USB
 *
 * The board transfers the bytes in both directions. Answers wait in a ring of CONSOLE_OUT_BYTES; text that
 * does not fit is lost, and a ~ marks the place. State: 1.1 kB.
 */
#ifndef CONSOLE_H
#define CONSOLE_H

#include "player/demo_phrase.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONSOLE_LINE_BYTES 32
#define CONSOLE_OUT_BYTES 1024 /* a power of two */

/* Statistics that the main loop keeps; drivers count some of them since the start. Times are in cycles of
 * the core. */
typedef struct {
    uint32_t block_cycles; /* duration of a block */
    uint32_t last_cycles;  /* cycles of the last block */
    uint32_t worst_cycles;
    uint32_t n_blocks;
    uint32_t n_underruns;
    uint32_t n_core_late; /* blocks that were late because the first core waited for the second */
    uint32_t n_midi_lost;
    uint32_t n_midi_errors;
    size_t stack_bytes;
} play_stats_t;

/* State of live mode: the console switches it, the main loop runs it. */
typedef struct {
    bool is_on;
    bool has_input;    /* the last block had input */
    bool is_automatic; /* the input gain follows the input */
    bool is_gain_new;  /* the console has changed the gain, and the main loop has not yet taken it over */
    int gain_db;       /* the input gain; if it is automatic, the main loop keeps it up to date */
    uint32_t n_lost;   /* blocks of input that were late or missing */
} live_t;

/* What the main loop has to do, because it takes longer than a block. */
typedef enum {
    CONSOLE_NO_REQUEST,
    CONSOLE_SAVE,
    CONSOLE_SAVE_DEFAULTS,
    CONSOLE_START_LOADER
} console_request_t;

/* What drivers had counted when the counts were last cleared: the console shows what was added since. */
typedef struct {
    uint32_t n_core_late;
    uint32_t n_midi_lost;
    uint32_t n_midi_errors;
    uint32_t n_input_lost;
} console_counts_t;

typedef struct {
    player_t *player;
    demo_phrase_t *phrase;
    play_stats_t *stats;
    live_t *live;              /* NULL: this firmware has no sound input */
    console_request_t request; /* the main loop clears it, and prints the answer */
    console_counts_t cleared;
    char line[CONSOLE_LINE_BYTES];
    size_t n_line; /* CONSOLE_LINE_BYTES: the line is too long */
    char out[CONSOLE_OUT_BYTES];
    size_t n_written, n_sent; /* counts since the start; indices are modulo CONSOLE_OUT_BYTES */
} console_t;

/* Initializes a console and writes its greeting; `live` is NULL if there is no sound input. */
void console_init(console_t *console, player_t *player, demo_phrase_t *phrase, play_stats_t *stats,
                  live_t *live);

/* Adds text to the answers. */
void console_print(console_t *console, const char *text);

/* Handles a typed byte; a line end executes the line. */
void console_receive(console_t *console, char byte);

/* console_pending returns the next bytes to be sent and sets their number; console_sent removes the first
 * `n_bytes` of them. */
const char *console_pending(const console_t *console, size_t *n_bytes);
void console_sent(console_t *console, size_t n_bytes);

#ifdef __cplusplus
}
#endif

#endif
