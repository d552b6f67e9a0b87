/* Writes a scale to the standard output, int16. To hear it on Linux: ./render | aplay -f S16_LE -r 48000 */
#include <stdio.h>

#include "ddx7.h"

#define RATE 48000

static ddx7_t synth;

/* Plays for a quarter of a second. */
static void play(void) {
    static int16_t samples[RATE / 4];
    ddx7_read(&synth, samples, RATE / 4);
    fwrite(samples, sizeof *samples, RATE / 4, stdout);
}

int main(void) {
    static const uint8_t scale[] = {60, 62, 64, 65, 67, 69, 71, 72};
    if (!ddx7_init(&synth, sizeof synth, RATE)) {
        return 1;
    }
    for (unsigned n = 0; n < sizeof scale; n++) {
        ddx7_note_on(&synth, scale[n], 100);
        play();
        ddx7_note_off(&synth, scale[n]);
        play();
    }
    return 0;
}
