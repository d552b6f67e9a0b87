/* play_board.h for boards that have files and no real time: plays from files as fast as it can.
 *
 * Reads midi.score and console.score: records of 8 bytes with the number of the block in which bytes arrive
 * (uint32), the number of bytes (1 to 3; 0 keeps the core busy for the duration of a block, which causes an
 * underrun), and the bytes. Writes audio.pcm and console.txt. Ends one second after the last record.
 *
 * input.pcm is the sound input, int16: its block n arrives while block n of the output plays.
 */
#include "play_board.h"

#include <string.h>

#include "board.h"
#include "board_files.h"
#include "second_core_time.h"

#define TAIL_BLOCKS 250u
#define CYCLES_PER_BLOCK (168000000u / 250u) /* of an STM32F407, at one cycle per instruction */

typedef struct {
    uint32_t block;
    uint8_t n_bytes;
    uint8_t bytes[3];
} record_t;

typedef struct {
    int file;
    bool has_record;
    record_t record;
} score_t;

static score_t midi, console;
static int audio_file, console_file, input_file;
static void (*audio_tick)(void);
static int16_t halves[2][BOARD_BLOCK_SAMPLES], sound_end[BOARD_BLOCK_SAMPLES];
static uint32_t block; /* the block that plays, from halves[block % 2] */
static uint32_t last_event;
static bool is_idle_turn;
static uint32_t n_input, n_input_lost; /* blocks that arrived, and the number of them that were not read */

static void read_record(score_t *score) {
    score->has_record = score->file >= 0 &&
                        board_read(score->file, &score->record, sizeof score->record) == sizeof score->record;
}

static void open_score(score_t *score, const char *path) {
    score->file = board_open_read(path);
    read_record(score);
}

void board_audio_start(void (*tick)(void)) {
    audio_tick = tick;
    open_score(&midi, "midi.score");
    open_score(&console, "console.score");
    audio_file = board_open_write("audio.pcm");
    console_file = board_open_write("console.txt");
    input_file = board_open_read("input.pcm");
}

void board_audio_put(const int16_t samples[BOARD_BLOCK_SAMPLES], const int16_t end[BOARD_BLOCK_SAMPLES]) {
    memcpy(halves[(block + 1) % 2], samples, sizeof halves[0]);
    memcpy(sound_end, end, sizeof sound_end);
}

bool board_audio_get(int16_t samples[BOARD_INPUT_SAMPLES]) {
    const size_t n_bytes = BOARD_INPUT_SAMPLES * sizeof *samples;
    const uint32_t n_due = block - n_input;
    bool has_arrived = false;
    for (; n_input < block; n_input++) {
        has_arrived = input_file >= 0 && board_read(input_file, samples, n_bytes) == n_bytes;
    }
    if (!has_arrived) {
        memset(samples, 0, n_bytes);
    }
    n_input_lost += n_due - has_arrived;
    return has_arrived;
}

uint32_t board_audio_lost(void) { return n_input_lost; }

static void play_half(void) {
    board_write(audio_file, halves[block % 2], sizeof halves[0]);
    memcpy(halves[block % 2], sound_end, sizeof halves[0]);
    memset(sound_end, 0, sizeof sound_end);
    block++;
    audio_tick();
}

/* Copies the bytes of a score that have arrived, one record at a time. */
static size_t take(score_t *score, void *bytes, size_t capacity) {
    size_t n = 0;
    while (score->has_record && score->record.block <= block && n + score->record.n_bytes <= capacity) {
        if (score->record.n_bytes == 0) {
            play_half();
        }
        memcpy((char *)bytes + n, score->record.bytes, score->record.n_bytes);
        n += score->record.n_bytes;
        last_event = block;
        read_record(score);
    }
    return n;
}

size_t board_midi_read(uint8_t *bytes, size_t capacity) { return take(&midi, bytes, capacity); }

uint32_t board_midi_lost(void) { return 0; }

uint32_t board_midi_errors(void) { return 0; }

bool board_panel_read(uint8_t *control, uint8_t *value) {
    (void)control;
    (void)value;
    return false;
}

size_t board_console_read(char *text, size_t capacity) { return take(&console, text, capacity); }

size_t board_console_write(const char *text, size_t n_bytes) {
    const size_t n = n_bytes < 16 ? n_bytes : 16; /* the size of a UART's FIFO */
    return board_write(console_file, text, n);
}

bool board_start_loader(void) { return false; }

uint32_t board_cycles(void) { return board_instruction_count() - second_core_shared_time(); }

uint32_t board_cycles_per_block(void) { return CYCLES_PER_BLOCK; }

void board_watchdog_start(void) {}

void board_watchdog_feed(void) {}

/* A block ends at every other call, so that the main loop has time for its console in between. */
bool board_wait(void) {
    is_idle_turn = !is_idle_turn;
    if (!is_idle_turn) {
        play_half();
    }
    if (midi.has_record || console.has_record || block < last_event + TAIL_BLOCKS) {
        return true;
    }
    board_close(audio_file);
    board_close(console_file);
    return false;
}
