/* Renders frames with an FM patch, on any board.
 *
 *     play_frames PATCH FRAMES PCM
 *
 * PATCH: a for the first of the table of the generated patches.h, b for the next one. FRAMES: a float32
 * f0_hz and six int32 levels per frame. PCM receives int16. Prints the total number of instructions in
 * fm_voice_render. The exit status is 1 if a file cannot be used.
 */
#include "board.h"
#include "board_files.h"
#include "patches.h"

typedef struct {
    float f0_hz;
    int32_t levels_q32[FM_N_OPERATORS];
} test_frame_t;

static void print_number(uint32_t number) {
    char text[11];
    char *digit = text + sizeof text - 1;
    *digit = '\0';
    do {
        *--digit = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    board_print(digit);
}

int main(int argc, char **argv) {
    if (argc != 4) {
        return 2;
    }
    const int frames = board_open_read(argv[2]);
    const int pcm = board_open_write(argv[3]);
    if (frames < 0 || pcm < 0) {
        return 1;
    }
    fm_voice_t voice;
    fm_voice_init(&voice, patches[argv[1][0] - 'a']);
    test_frame_t frame;
    uint32_t instructions = 0;
    while (board_read(frames, &frame, sizeof frame) == sizeof frame) {
        int16_t samples[FM_BLOCK_SAMPLES];
        const uint32_t start = board_instruction_count();
        fm_voice_render(&voice, frame.f0_hz, frame.levels_q32, samples);
        instructions += board_instruction_count() - start;
        if (board_write(pcm, samples, sizeof samples) != sizeof samples) {
            return 1;
        }
    }
    print_number(instructions);
    board_print("\n");
    return board_close(pcm) == 0 ? 0 : 1;
}
