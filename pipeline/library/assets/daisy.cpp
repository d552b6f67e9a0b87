// Plays a scale on a Daisy Seed. Add src/ to the include path, and this file and the sources in src/ddx7/ to
// a project of libDaisy.
#include "daisy_seed.h"
#include "ddx7.h"

static daisy::DaisySeed seed;
static ddx7_t synth;

// Fills the output; a note lasts half a second.
static void play(daisy::AudioHandle::InputBuffer, daisy::AudioHandle::OutputBuffer out, size_t n) {
    static const uint8_t scale[] = {60, 62, 64, 65, 67, 69, 71, 72};
    static size_t n_samples = 0, n_notes = 0;
    for (size_t i = 0; i < n; i++) {
        if (n_samples++ % 24000 == 0) {
            ddx7_note_off(&synth, scale[(n_notes + 7) % 8]);
            ddx7_note_on(&synth, scale[n_notes++ % 8], 100);
        }
        int16_t sample;
        ddx7_read(&synth, &sample, 1);
        out[0][i] = out[1][i] = (float)sample / 32768.0f;
    }
}

int main() {
    seed.Init();
    ddx7_init(&synth, sizeof synth, (uint32_t)seed.AudioSampleRate());
    seed.StartAudio(play);
    for (;;) {
    }
}
