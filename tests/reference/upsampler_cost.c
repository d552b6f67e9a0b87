/* Returns the instructions that a block takes in one direction, in hundreds, as exit status. */
#include "board.h"
#include "upsampler/upsampler.h"

#define N_BLOCKS 100

static int16_t at_16_khz[UPSAMPLER_BLOCK_SAMPLES], at_48_khz[UPSAMPLER_FACTOR * UPSAMPLER_BLOCK_SAMPLES];

#ifdef CONVERT_UP
static upsampler_t upsampler;

static void convert(void) { upsampler_process(&upsampler, at_16_khz, at_48_khz); }
#else
static downsampler_t downsampler;

static void convert(void) { downsampler_process(&downsampler, at_48_khz, at_16_khz); }
#endif

int main(void) {
    board_init();
    const uint32_t start = board_instruction_count();
    for (int i = 0; i < N_BLOCKS; i++) {
        convert();
    }
    return (int)((board_instruction_count() - start) / (100u * N_BLOCKS));
}
