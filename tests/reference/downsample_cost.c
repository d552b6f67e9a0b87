/* Returns the instructions that a block of upsampler_reverse takes, in hundreds, as exit status. */
#include "board.h"
#include "upsampler/upsampler.h"

#define N_BLOCKS 100

static upsampler_t downsampler;

int main(void) {
    static int16_t in[UPSAMPLER_FACTOR * UPSAMPLER_BLOCK_SAMPLES], out[UPSAMPLER_BLOCK_SAMPLES];
    board_init();
    const uint32_t start = board_instruction_count();
    for (int i = 0; i < N_BLOCKS; i++) {
        upsampler_reverse(&downsampler, in, out);
    }
    return (int)((board_instruction_count() - start) / (100u * N_BLOCKS));
}
