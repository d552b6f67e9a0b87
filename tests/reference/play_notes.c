/* Plays notes with the expression of an instrument, on any board.
 *
 *     play_notes PRESET STEPS FRAMES
 *
 * STEPS holds one step_t per frame, the event that precedes it. FRAMES receives 12 bytes per frame: f0_hz,
 * loudness_db and whether anything sounds.
 */
#include "board.h"
#include "board_files.h"
#include "player/expression.h"
#include "player/pitch.h"

extern const expression_t *const tables[];

typedef struct {
    int32_t what; /* 0: nothing, 1: start, 2: slur, 3: release */
    int32_t note, velocity;
    int32_t from; /* -1: from the current pitch */
    int32_t glide_frames;
    expression_controls_t controls;
} step_t;

int main(int argc, char **argv) {
    board_init();
    if (argc != 4) {
        return 2;
    }
    const expression_t *const table = tables[argv[1][0] - '0'];
    const int steps = board_open_read(argv[2]), frames = board_open_write(argv[3]);
    expression_state_t state;
    expression_reset(&state, 12345u);
    step_t step;
    while (board_read(steps, &step, sizeof step) == sizeof step) {
        const uint32_t glide = (uint32_t)step.glide_frames;
        if (step.what == 1) {
            const int32_t from = step.from < 0 ? state.pitch : step.from;
            expression_start(&state, table, step.note, step.velocity, from, glide);
        } else if (step.what == 2) {
            expression_slur(&state, step.note, step.velocity, glide);
        } else if (step.what == 3) {
            expression_release(&state);
        }
        struct {
            frame_t frame;
            int32_t sounds;
        } out;
        out.sounds = expression_step(&state, table, &step.controls, &out.frame);
        board_write(frames, &out, sizeof out);
    }
    return board_close(frames);
}
