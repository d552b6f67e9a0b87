/* Converts a file of int16 at 48 kHz to one at 16 kHz: downsample IN OUT. */
#include "board.h"
#include "board_files.h"
#include "upsampler/upsampler.h"

static downsampler_t downsampler;

int main(int argc, char **argv) {
    static int16_t in[UPSAMPLER_FACTOR * UPSAMPLER_BLOCK_SAMPLES], out[UPSAMPLER_BLOCK_SAMPLES];
    if (argc < 3) {
        return 2;
    }
    const int source = board_open_read(argv[1]), target = board_open_write(argv[2]);
    while (board_read(source, in, sizeof in) == sizeof in) {
        downsampler_process(&downsampler, in, out);
        board_write(target, out, sizeof out);
    }
    return board_close(target);
}
