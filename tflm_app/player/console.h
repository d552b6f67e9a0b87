/* The text console of the player: a line in, an answer out, and never a wait.
 *
 *     help                 lists the commands
 *     stats                load of the last and the worst block, underruns, notes cut off, lost bytes, stack
 *     clear                forgets the worst load and the counts
 *     notes                what every voice is doing
 *     program [NUMBER]     instruments, or chooses one for the notes to come
 *     channel [NUMBER]     1 to 16 to listen to, 0 for all
 *     live [0, 1]          plays by the sound that comes in, 1, or by notes, 0
 *     demo                 plays a phrase, by notes
 *     panic                ends all sound, the phrase's and live sound, too
 *
 * Bytes that come and go are the board's business; answers wait in a ring of CONSOLE_OUT_BYTES, and what does
 * not fit there is lost, with a mark in its place. State: 1.1 kB.
 */
#ifndef CONSOLE_H
#define CONSOLE_H

#include "player/demo_phrase.h"

#define CONSOLE_LINE_BYTES 32
#define CONSOLE_OUT_BYTES 1024 /* a power of two */

/* What the main loop counts, in cycles of the board. */
typedef struct {
    uint32_t block_cycles; /* that a block lasts */
    uint32_t last_cycles;  /* that the last one took */
    uint32_t worst_cycles;
    uint32_t n_blocks;
    uint32_t n_underruns;
    uint32_t n_midi_lost;
    size_t stack_bytes;
} play_stats_t;

/* Playing by the sound that comes in; the console switches it, the main loop does it. */
typedef struct {
    bool is_on;
    bool is_heard;   /* there was sound input for the last block */
    uint32_t n_lost; /* blocks of input that came too late or not at all */
} live_t;

typedef struct {
    player_t *player;
    demo_phrase_t *phrase;
    play_stats_t *stats;
    live_t *live; /* NULL: this firmware has no input */
    char line[CONSOLE_LINE_BYTES];
    size_t n_line; /* CONSOLE_LINE_BYTES: it is too long */
    char out[CONSOLE_OUT_BYTES];
    size_t n_written, n_sent; /* since the start; places modulo CONSOLE_OUT_BYTES */
} console_t;

/* Prepares a console, which greets; `live` is NULL where there is no input. */
void console_init(console_t *console, player_t *player, demo_phrase_t *phrase, play_stats_t *stats,
                  live_t *live);

/* Takes a byte that was typed; a line that ends is carried out. */
void console_receive(console_t *console, char byte);

/* Returns the next bytes that wait to be sent and sets their number; console_sent takes some of them off. */
const char *console_pending(const console_t *console, size_t *n_bytes);
void console_sent(console_t *console, size_t n_bytes);

#endif
